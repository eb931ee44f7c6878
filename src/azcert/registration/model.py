"""Applications and their credentials as values, read from and written to Microsoft Graph's JSON."""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import uuid
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azcert.certificate.model import Certificate

__all__ = ["Application", "Created", "KeyCredential", "PasswordCredential"]

_THUMBPRINT_BYTES = 20


@dataclass(frozen=True)
class KeyCredential:
    """A certificate on an application (Graph's ``keyCredential`` resource).

    :param thumbprint: SHA-1 in upper-case hex, or the identifier's text where it is none.
    :param key: the certificate's DER, where Graph was asked for it.
    """

    key_id: str
    thumbprint: str
    display_name: str | None
    start: dt.datetime
    end: dt.datetime
    usage: str
    type: str
    key: bytes | None = None

    @classmethod
    def of(cls, certificate: Certificate, *, display_name: str | None = None) -> KeyCredential:
        """Describe *certificate* as the sign-in credential it will be; its dates are the certificate's."""
        return cls(
            key_id=str(uuid.uuid4()),
            thumbprint=certificate.thumbprint,
            display_name=display_name or certificate.subject,
            start=certificate.not_before,
            end=certificate.not_after,
            usage="Verify",
            type="AsymmetricX509Cert",
            key=certificate.der,
        )

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> KeyCredential:
        """Read Graph's JSON."""
        key = body.get("key")
        return cls(
            key_id=body["keyId"],
            thumbprint=_identifier(body.get("customKeyIdentifier")),
            display_name=body.get("displayName"),
            start=_moment(body.get("startDateTime")),
            end=_moment(body.get("endDateTime")),
            usage=body.get("usage") or "",
            type=body.get("type") or "",
            key=base64.b64decode(key) if key else None,
        )

    def as_graph(self) -> dict[str, Any]:
        """Return the JSON that adds this credential; the server derives ``customKeyIdentifier``."""
        return {
            "keyId": self.key_id,
            "displayName": self.display_name,
            "type": self.type,
            "usage": self.usage,
            "startDateTime": _text(self.start),
            "endDateTime": _text(self.end),
            "key": base64.b64encode(self.key or b"").decode(),
        }

    def is_for(self, certificate: Certificate) -> bool:
        """Tell whether this is *certificate*, by its bytes where they are known, else by thumbprint."""
        return self.key == certificate.der if self.key else self.thumbprint == certificate.thumbprint


@dataclass(frozen=True)
class PasswordCredential:
    """A client secret on an application; the secret itself is never given again."""

    key_id: str
    hint: str | None
    display_name: str | None
    start: dt.datetime
    end: dt.datetime

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> PasswordCredential:
        """Read Graph's JSON."""
        return cls(
            key_id=body["keyId"],
            hint=body.get("hint"),
            display_name=body.get("displayName"),
            start=_moment(body.get("startDateTime")),
            end=_moment(body.get("endDateTime")),
        )


@dataclass(frozen=True)
class Application:
    """An app registration. ``id`` is the object id, ``app_id`` the client id."""

    id: str
    app_id: str
    display_name: str
    keys: tuple[KeyCredential, ...]
    passwords: tuple[PasswordCredential, ...]
    raw_keys: tuple[Mapping[str, Any], ...]
    """The credentials as Graph sent them: a PATCH must give each of them back unchanged to keep it."""

    @classmethod
    def read(cls, body: Mapping[str, Any]) -> Application:
        """Read Graph's JSON."""
        keys = tuple(body.get("keyCredentials") or ())
        return cls(
            id=body["id"],
            app_id=body["appId"],
            display_name=body.get("displayName") or "",
            keys=tuple(KeyCredential.read(each) for each in keys),
            passwords=tuple(PasswordCredential.read(each) for each in body.get("passwordCredentials") or ()),
            raw_keys=keys,
        )


class Created(NamedTuple):
    """An application that was made, with its service principal.

    :param principal_id: the object id of the service principal: who it is where roles are given.
    :param tenant_id: the tenant it was made in.
    """

    application: Application
    principal_id: str
    tenant_id: str


def _identifier(text: str | None) -> str:
    """Return the thumbprint in hex from either form in use: hex text, or base64 of the 20 bytes."""
    if not text:
        return ""
    try:
        raw = base64.b64decode(text, validate=True)
    except (ValueError, binascii.Error):
        return text.upper()
    return raw.hex().upper() if len(raw) == _THUMBPRINT_BYTES else text.upper()


def _moment(text: str | None) -> dt.datetime:
    if not text:
        return dt.datetime.min.replace(tzinfo=dt.UTC)
    # Graph writes up to seven fractional digits; Python reads at most six.
    whole, _, rest = text.partition(".")
    fraction = rest.rstrip("Z")[:6]
    return dt.datetime.fromisoformat(f"{whole.rstrip('Z')}{'.' + fraction if fraction else ''}+00:00")


def _text(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
