"""Devices for the tests of this folder."""

from __future__ import annotations

from support.devices import pin_file, softhsm, swtpm

__all__ = ["pin_file", "softhsm", "swtpm"]
