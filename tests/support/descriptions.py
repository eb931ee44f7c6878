"""Credentials that settings ask for, described for comparison."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azcert._redact import Secret
from azcert.config.credentials.choose import choose_credential
from azcert.config.reading.json_reader import read_json
from azcert.config.reading.layers import file_layer
from azcert.config.reading.origin import Place
from azcert.config.reading.settings import Settings

if TYPE_CHECKING:
    from azcert.config.credentials.spec import CredentialSpec

__all__ = ["THUMBPRINT", "chosen", "in_both_stores", "revealed"]

THUMBPRINT = "962D129A859174EE8B5596985BD18EFEB6961684"


def chosen(text: str, environ: dict[str, str] | None = None) -> CredentialSpec | None:
    """Return the credential that a section in JSON asks for; it stands in line 1 of a.json."""
    layer = file_layer(read_json(f'{{"Client": {text}}}'), place=Place.USER_SECRETS, name="a.json", rank=0)
    return choose_credential(Settings(layer).section("Client"), environ or {})


def revealed(spec: CredentialSpec | None) -> dict[str, Any]:
    """Return class, arguments and parts, secrets in the open."""
    assert spec is not None
    found: dict[str, Any] = {
        name: f"secret:{value.reveal()}" if isinstance(value, Secret) else value
        for name, value in spec.arguments.items()
    }
    found["kind"] = spec.kind
    if spec.parts:
        found["parts"] = [revealed(part) for part in spec.parts]
    return found


def in_both_stores(query: str) -> tuple[str, ...]:
    """Return the sources of a certificate in azcert's store and in .NET's."""
    return (f"store:CurrentUser/My?{query}", f"dotnet:CurrentUser/My?{query}")
