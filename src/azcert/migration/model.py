"""What a migration finds in a settings file, and what it changes there."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azcert._redact import Secret

__all__ = ["Change", "Identity", "Line"]


@dataclass(frozen=True)
class Identity:
    """An application as its settings name it; what they do not say is None.

    :param section: path of its section, parts joined by colons; empty in a ``.env`` file.
    :param certificate: the certificate that the settings name already.
    """

    section: str
    tenant_id: str | None
    client_id: str | None
    secret: Secret | None
    certificate: str | None


@dataclass(frozen=True)
class Line:
    """A changed line.

    :param number: from 1.
    :param before: what stood there, the secret's value redacted.
    """

    number: int
    before: str
    after: str


@dataclass(frozen=True)
class Change:
    """A file's text with the certificate in the secret's place."""

    text: str = field(repr=False)
    lines: tuple[Line, ...]
