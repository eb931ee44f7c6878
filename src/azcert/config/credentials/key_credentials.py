"""Credentials that are keys: what settings say of them, and what each client takes in their place.

.NET's factory makes these from the parameters of their constructors (``AzureKeyCredential(key)``, ...), which
the README of Microsoft.Extensions.Azure shows with ``credential: { accountName, accountKey }``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azcert.config.credentials.spec import CredentialSpec
from azcert.config.reading.layers import fold
from azcert.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azcert.config.reading.settings import Settings

__all__ = ["KEY_CLASSES", "KEY_FORMS", "build_key", "fitting", "from_key_section"]

KEY_CLASSES = frozenset({"AzureKeyCredential", "AzureNamedKeyCredential", "AzureSasCredential"})

KEY_FORMS: tuple[tuple[str, dict[str, str]], ...] = (
    ("AzureKeyCredential", {"Key": "key"}),
    ("AzureSasCredential", {"Signature": "signature"}),
    ("AzureNamedKeyCredential", {"Name": "name", "Key": "key"}),
    ("AzureNamedKeyCredential", {"AccountName": "name", "AccountKey": "key"}),
)
"""Classes, and the keys of a ``Credential`` section without a source that give their parameters."""


def from_key_section(section: Settings) -> CredentialSpec | None:
    """Return the key that *section* gives, None if its keys are others."""
    names = {fold(name) for name in section.names()}
    for cls, form in KEY_FORMS:
        if names == {fold(name) for name in form}:
            arguments = {
                keyword: section.text(name) if keyword == "name" else section.secret(name)
                for name, keyword in form.items()
            }
            return CredentialSpec(cls, arguments, origin=str(next(iter(section)).origin))
    return None


def build_key(kind: str, arguments: Mapping[str, str]) -> Any:
    """Return the credential of the class *kind*, one of `KEY_CLASSES`."""
    from azure.core import credentials  # slow to import

    return getattr(credentials, kind)(**arguments)


def fitting(credential: Any, client: type, accepted: str) -> Any:
    """Return *credential* as *client* takes it: keys as they are, or as plain texts.

    :param accepted: the type of the client's parameter, as text.
    :raises azcert.errors.ConfigurationError: it takes no such key.
    """
    name = type(credential).__name__
    if name not in KEY_CLASSES or name in accepted or "TokenCredential" not in accepted:
        return credential
    if "str" in accepted and name == "AzureKeyCredential":
        return credential.key
    if "str" in accepted and name == "AzureSasCredential":
        return credential.signature
    raise ConfigurationError(
        f"{client.__name__} takes no {name}, which its Credential section gives.",
        code="no-key-accepted",
        remedy=f"It takes {accepted}: use another CredentialSource.",
    )
