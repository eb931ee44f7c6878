"""When a certificate is due for its successor: a pure function of its validity."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import datetime as dt

    from azcert.certificate.model import Certificate

__all__ = ["SHARE", "due_at"]

SHARE = 2 / 3
"""Share of its life after which a certificate is due: time enough for many tries before it ends."""

_JITTER = 1 / 20


def due_at(certificate: Certificate, *, share: float = SHARE) -> dt.datetime:
    """Return the moment from which on *certificate* is due.

    Up to a twentieth of the life earlier than *share* says, by the certificate's own digest: hosts with many
    certificates of one day do not renew them all in one hour, and each keeps its moment.
    """
    life = certificate.not_after - certificate.not_before
    jitter = int(certificate.thumbprint_sha256[:8], 16) / 0xFFFFFFFF * _JITTER
    return certificate.not_before + life * (share - jitter)
