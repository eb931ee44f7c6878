"""azcert: certificate credentials for Azure, as easy as a client secret and safer than both.

The public names live here; each is imported when it is first used, because start-up time is felt by every
short-lived process. `azcert.aio` has the asynchronous ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azcert.certificate.model import Certificate
    from azcert.certificate.signer import Algorithm, Signer, SigningCertificate
    from azcert.config.sync import AzureClients
    from azcert.credential.caches.memory import MemoryCache
    from azcert.credential.default import DefaultCredential
    from azcert.credential.events import Counters, Event, EventKind
    from azcert.credential.sync import CertificateCredential
    from azcert.errors import (
        AccessError,
        AuthenticationError,
        AzcertError,
        CertificateError,
        ConfigurationError,
        SelectionError,
        SigningError,
        SourceError,
        TransportError,
    )
    from azcert.vault.policy import CacheRules
    from azcert.vault.sync import SecretCachePolicy

__all__ = [
    "AccessError",
    "Algorithm",
    "AuthenticationError",
    "AzcertError",
    "AzureClients",
    "CacheRules",
    "Certificate",
    "CertificateCredential",
    "CertificateError",
    "ConfigurationError",
    "Counters",
    "DefaultCredential",
    "Event",
    "EventKind",
    "MemoryCache",
    "SecretCachePolicy",
    "SelectionError",
    "Signer",
    "SigningCertificate",
    "SigningError",
    "SourceError",
    "TransportError",
]

__version__ = "0.1.0"

_HOMES = {
    "AccessError": "azcert.errors",
    "Algorithm": "azcert.certificate.signer",
    "AuthenticationError": "azcert.errors",
    "AzcertError": "azcert.errors",
    "AzureClients": "azcert.config.sync",
    "CacheRules": "azcert.vault.policy",
    "Certificate": "azcert.certificate.model",
    "CertificateCredential": "azcert.credential.sync",
    "CertificateError": "azcert.errors",
    "ConfigurationError": "azcert.errors",
    "Counters": "azcert.credential.events",
    "DefaultCredential": "azcert.credential.default",
    "Event": "azcert.credential.events",
    "EventKind": "azcert.credential.events",
    "MemoryCache": "azcert.credential.caches.memory",
    "SecretCachePolicy": "azcert.vault.sync",
    "SelectionError": "azcert.errors",
    "Signer": "azcert.certificate.signer",
    "SigningCertificate": "azcert.certificate.signer",
    "SigningError": "azcert.errors",
    "SourceError": "azcert.errors",
    "TransportError": "azcert.errors",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'azcert' has no attribute {name!r}")
    from importlib import import_module  # noqa: PLC0415

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
