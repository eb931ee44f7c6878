"""How often and how fast a failed request is repeated, as a value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["RetryRule"]


class RetryRule(NamedTuple):
    """How often and how fast a failed request is repeated; azure-core's retry keywords, their meaning kept.

    :param total: repetitions of one call, whatever failed; ``connect``, ``read`` and ``status`` bound them
        by kind.
    :param factor: seconds before the second repetition; the first one after a broken connection is immediate.
    :param longest: seconds between two tries at most, unless the service asks for more.
    :param timeout: seconds one call may take altogether.
    :param statuses: HTTP statuses to repeat besides 408, 429 and 5xx.
    """

    total: int = 10
    connect: int = 3
    read: int = 3
    status: int = 3
    factor: float = 0.8
    longest: float = 30.0
    fixed: bool = False
    timeout: float = 30.0
    statuses: frozenset[int] = frozenset()

    @classmethod
    def from_keywords(cls, options: Mapping[str, Any]) -> RetryRule:
        """Read azure-core's keywords; what is not given keeps azcert's default."""
        names = {
            "retry_total": "total",
            "retry_connect": "connect",
            "retry_read": "read",
            "retry_status": "status",
            "retry_backoff_factor": "factor",
            "retry_backoff_max": "longest",
            "timeout": "timeout",
        }
        given = {field: options[name] for name, field in names.items() if name in options}
        mode = str(getattr(options.get("retry_mode"), "value", options.get("retry_mode", ""))).lower()
        statuses = frozenset(options.get("retry_on_status_codes", ()))
        return cls(**given, fixed=mode == "fixed", statuses=statuses)

    def wait(self, failures: int, share: float) -> float:
        """Return the seconds to wait after so many failures in a row.

        :param share: from 0 to 1; it decides in which part of the second half of the wait the try falls.
        """
        if failures <= 0:
            return 0.0
        # Capped before the power: 2.0 ** 5000 does not exist.
        growth = 1.0 if self.fixed else 2.0 ** min(failures - 1, 30)
        return min(self.longest, self.factor * growth) * (0.5 + share / 2)
