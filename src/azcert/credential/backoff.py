"""When the token endpoint may be asked again: one state per client and tenant, for all callers at once.

While the endpoint fails, one request at a time probes it, whatever number of tokens is wanted; the others
wait for its outcome. The waits grow from try to try, differ from process to process, and obey
``Retry-After``.
"""

from __future__ import annotations

import email.utils
import random
import threading
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azcert.credential.retry_rule import RetryRule

__all__ = ["Backoff", "retry_after_seconds"]

_PROBE_LOST_AFTER = 60.0
_LOOK_AGAIN = 0.05
_LOOK_AGAIN_SHARE = 0.25


class Backoff:
    """What is known of one endpoint's health. Safe for threads; all times by a clock that never goes back."""

    def __init__(self, rule: RetryRule) -> None:
        self._rule = rule
        self._lock = threading.Lock()
        self._random = random.SystemRandom()
        self._failures = 0
        self._not_before = 0.0
        self._probe_since: float | None = None
        self.reason = ""

    @property
    def failures(self) -> int:
        """Failures since the last answer."""
        return self._failures

    def wait_until_allowed(self, now: float) -> float:
        """Return 0 if a request may go out now, else the seconds after which to ask again.

        Whoever gets 0 makes the request and reports its outcome.
        """
        if not self._failures:
            return 0.0
        with self._lock:
            if not self._failures:
                return 0.0
            if now < self._not_before:
                return self._not_before - now
            if self._probe_since is not None and now - self._probe_since < _PROBE_LOST_AFTER:
                # The longer the probe has been out, the longer the next look may wait: thousands may be
                # looking.
                return max(_LOOK_AGAIN, _LOOK_AGAIN_SHARE * (now - self._probe_since))
            self._probe_since = now
            return 0.0

    def closed_for(self, now: float) -> float:
        """Return the seconds for which nobody may ask; 0 while somebody does or may."""
        return max(0.0, self._not_before - now) if self._failures else 0.0

    def answered(self) -> None:
        """Report that the service decided, whatever it decided."""
        if self._failures:
            with self._lock:
                self._failures = 0
                self._not_before = 0.0
                self._probe_since = None
                self.reason = ""

    def failed(
        self, now: float, reason: str, *, retry_after: float | None = None, at_once: bool = False
    ) -> None:
        """Report a failure.

        :param retry_after: seconds the service asked to wait.
        :param at_once: the first repetition needs no wait: a connection broke that may just have been idle.
        """
        with self._lock:
            self._probe_since = None
            self._failures += 1
            self.reason = reason
            if retry_after is not None:
                wait = retry_after
            elif at_once and self._failures == 1:
                wait = 0.0
            else:
                wait = self._rule.wait(self._failures, self._random.random())
            # Others may have failed meanwhile and know better.
            self._not_before = max(self._not_before, now + wait)

    def given_up(self) -> None:
        """Report that the request was abandoned before it had an outcome."""
        with self._lock:
            self._probe_since = None

    def after_fork(self) -> None:
        """Forget a lock, and a probe, of the parent's threads."""
        self._lock = threading.Lock()
        self._probe_since = None


def retry_after_seconds(value: str | None, now: float) -> float | None:
    """Read a Retry-After header: seconds or a date (RFC 9110, 10.2.3); None if it is neither.

    :param now: seconds since the epoch by the service's clock.
    """
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = email.utils.parsedate_to_datetime(value).timestamp() - now
        except ValueError:
            return None
    return seconds if 0 <= seconds < float("inf") else 0.0 if seconds < 0 else None
