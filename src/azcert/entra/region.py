"""Which region's endpoint to ask first, and when to leave it for the global one."""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING

from azcert import errors
from azcert.wire.message import Request, answer_to

if TYPE_CHECKING:
    from collections.abc import Callable

    from azcert.wire.message import Flow

__all__ = ["REGION_VARIABLE", "Regions", "configured_regions"]

REGION_VARIABLE = "AZURE_REGIONAL_AUTHORITY_NAME"
"""A region, or ``tryautodetect`` (or ``true``) to find it out, as in azure-identity."""

_DETECT = frozenset({"tryautodetect", "true"})
# Set by hosts that know their region (Functions, Service Fabric); MSAL asks it before the metadata service.
_HOST_REGION_VARIABLE = "REGION_NAME"
# https://learn.microsoft.com/azure/virtual-machines/instance-metadata-service
_METADATA = "http://169.254.169.254/metadata/instance/compute?api-version=2021-02-01"
_METADATA_TIMEOUT = 2.0
_LEFT_FOR = 600.0
_OK = 200


class Regions:
    """The region in use. Safe for threads: at worst two of them find it out at the same time.

    :param name: the region, or None to find it out.
    :param monotonic: seconds of a clock that never goes back.
    """

    def __init__(self, name: str | None, *, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._name = name
        self._detected = name is not None
        self._monotonic = monotonic
        self._left_until = 0.0

    def region(self) -> Flow[str | None]:
        """Return the region whose endpoint to ask now, or None for the global endpoint."""
        if not self._detected:
            self._name = os.environ.get(_HOST_REGION_VARIABLE) or (yield from _from_metadata())
            self._detected = True
        return None if self._monotonic() < self._left_until else self._name

    def leave(self) -> None:
        """Use the global endpoint for ten minutes: the regional one failed."""
        self._left_until = self._monotonic() + _LEFT_FOR


def configured_regions(monotonic: Callable[[], float] = time.monotonic) -> Regions | None:
    """Return what AZURE_REGIONAL_AUTHORITY_NAME asks for, or None."""
    name = os.environ.get(REGION_VARIABLE, "").strip().lower()
    if not name:
        return None
    return Regions(None if name in _DETECT else name, monotonic=monotonic)


def _from_metadata() -> Flow[str | None]:
    request = Request("GET", _METADATA, {"Metadata": "true"}, timeout=_METADATA_TIMEOUT)
    try:
        response = yield from answer_to(request)
    except errors.TransportError:
        # Not a virtual machine of Azure, or its metadata service is closed to this program.
        return None
    location = response.json().get("location")
    return location.lower() if response.status == _OK and isinstance(location, str) and location else None
