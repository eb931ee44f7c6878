"""How far this machine's clock is from the service's, measured from the ``Date`` header of its answers."""

from __future__ import annotations

import email.utils
import logging

__all__ = ["ClockSkew"]

_LOG = logging.getLogger(__name__)

_NOTEWORTHY = 30.0
"""Seconds: the header has whole seconds and travels with the answer, so less says nothing."""


class ClockSkew:
    """The difference, in seconds, to add to this machine's clock; 0 while it is about right."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def measure(self, date: str | None, *, sent: float, received: float) -> bool:
        """Read a ``Date`` header (RFC 9110, 6.6.1); tell whether the difference has changed noticeably.

        :param sent: when the request went out, in seconds since the epoch.
        :param received: when its answer came.
        """
        if not date:
            return False
        try:
            theirs = email.utils.parsedate_to_datetime(date).timestamp()
        except ValueError:
            return False
        # The answer was dated somewhere between sending and receiving: right, if that fits.
        ahead = theirs - received if theirs > received else min(0.0, theirs + 1 - sent)
        measured = ahead if abs(ahead) >= _NOTEWORTHY else 0.0
        if abs(measured - self.seconds) < _NOTEWORTHY:
            return False
        self.seconds = measured
        if measured:
            _LOG.warning(
                "This machine's clock is %.0f seconds %s Entra ID's; assertions are dated by the latter. Set "
                "the clock, best by NTP.",
                abs(measured),
                "behind" if measured > 0 else "ahead of",
            )
        else:
            _LOG.info("This machine's clock agrees with Entra ID's again.")
        return True
