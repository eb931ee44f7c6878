"""What settings ask for, as values: a credential to be built, described by its class and its arguments."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field, fields, is_dataclass
from enum import Enum
from typing import TYPE_CHECKING, Any

from azcert._redact import REDACTED, Secret
from azcert.stores.passphrase import PassphraseFrom

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

__all__ = ["CachePersistence", "CredentialSpec", "identity_of", "plain"]


@dataclass(frozen=True)
class CachePersistence:
    """azure-identity's ``TokenCachePersistenceOptions``."""

    name: str | None = None
    allow_unencrypted_storage: bool = False


@dataclass(frozen=True)
class CredentialSpec:
    """A credential to be built.

    :param kind: the class: azure-identity's, or azcert's for ``CertificateCredential``, ``DefaultCredential``
        and ``EnvironmentCredential``; azure-core's for keys; ``FirstUsable`` and ``ChainedTokenCredential``
        are chains, ``ManagedIdentityAsFederatedIdentity`` an application that a managed identity stands for.
    :param arguments: its keyword arguments, by their Python names; secrets are `Secret`.
    :param parts: the credentials it is made of.
    :param origin: where it was asked for, for messages.
    """

    kind: str
    arguments: Mapping[str, Any] = field(default_factory=dict)
    parts: tuple[CredentialSpec, ...] = ()
    origin: str = field(default="", compare=False)

    def as_dict(self) -> dict[str, Any]:
        """Return the description as plain JSON values, secrets redacted."""
        described: dict[str, Any] = {"kind": self.kind, **plain(self.arguments)}
        if self.parts:
            described["parts"] = [part.as_dict() for part in self.parts]
        return described


def plain(value: Any) -> Any:
    """Return *value* as plain JSON values, secrets redacted."""
    if isinstance(value, Secret):
        return REDACTED
    if isinstance(value, PassphraseFrom):
        return str(value)
    if is_dataclass(value) and not isinstance(value, type):
        return {each.name: plain(getattr(value, each.name)) for each in fields(value)}
    if hasattr(value, "items"):
        return {str(name): plain(each) for name, each in value.items()}
    if isinstance(value, list | tuple):
        return [plain(each) for each in value]
    if isinstance(value, Enum):
        return value.value
    return value if value is None or isinstance(value, str | int | float) else str(value)


def identity_of(value: Any) -> Hashable:
    """Return what two descriptions share exactly if they describe the same; secrets are in it as digests."""
    if isinstance(value, Secret):
        return ("secret", hashlib.sha256(value.reveal_bytes()).hexdigest())
    if isinstance(value, CredentialSpec):
        return (value.kind, identity_of(value.arguments), identity_of(value.parts))
    if is_dataclass(value) and not isinstance(value, type):
        return tuple(identity_of(getattr(value, each.name)) for each in fields(value))
    if hasattr(value, "items"):
        return tuple(sorted((str(name), identity_of(each)) for name, each in value.items()))
    if isinstance(value, list | tuple):
        return tuple(identity_of(each) for each in value)
    return repr(value)
