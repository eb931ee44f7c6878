"""Devices for the tests of this folder."""

from __future__ import annotations

from support.devices import _faults, faults, pin_file, softhsm, swtpm

__all__ = ["_faults", "faults", "pin_file", "softhsm", "swtpm"]
