"""azcert: certificate credentials for Azure, as easy as a client secret and safer than both.

The public names live here; each is imported when it is first used, because start-up time is felt by every
short-lived process. `azcert.aio` has the asynchronous ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azcert._late import late

if TYPE_CHECKING:
    from azcert.certificate.model import Certificate
    from azcert.certificate.signer import Algorithm, Signer, SigningCertificate
    from azcert.config.sync import AzureClients
    from azcert.credential.caches.entry import TokenCache
    from azcert.credential.caches.memory import MemoryCache
    from azcert.credential.caches.redis import RedisCache
    from azcert.credential.caches.sealed import SealedFileCache
    from azcert.credential.chain.sync import DefaultCredential
    from azcert.credential.events import Counters, Event, EventKind
    from azcert.credential.sealing.configured import ConfiguredKeys
    from azcert.credential.sealing.keyring import KeyringKeys
    from azcert.credential.sealing.signature import SignatureKeys
    from azcert.credential.sync import CertificateCredential
    from azcert.errors import (
        AccessError,
        AuthenticationError,
        AzcertError,
        CertificateError,
        ConfigurationError,
        RegistrationError,
        SelectionError,
        SigningError,
        SourceError,
        TransportError,
    )
    from azcert.sources.open import open_source
    from azcert.sources.source import Source
    from azcert.sources.uris.uri import parse_source
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
    "ConfiguredKeys",
    "Counters",
    "DefaultCredential",
    "Event",
    "EventKind",
    "KeyringKeys",
    "MemoryCache",
    "RedisCache",
    "RegistrationError",
    "SealedFileCache",
    "SecretCachePolicy",
    "SelectionError",
    "SignatureKeys",
    "Signer",
    "SigningCertificate",
    "SigningError",
    "Source",
    "SourceError",
    "TokenCache",
    "TransportError",
    "open_source",
    "parse_source",
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
    "ConfiguredKeys": "azcert.credential.sealing.configured",
    "Counters": "azcert.credential.events",
    "DefaultCredential": "azcert.credential.chain.sync",
    "Event": "azcert.credential.events",
    "EventKind": "azcert.credential.events",
    "KeyringKeys": "azcert.credential.sealing.keyring",
    "MemoryCache": "azcert.credential.caches.memory",
    "RedisCache": "azcert.credential.caches.redis",
    "RegistrationError": "azcert.errors",
    "SealedFileCache": "azcert.credential.caches.sealed",
    "SecretCachePolicy": "azcert.vault.sync",
    "SelectionError": "azcert.errors",
    "SignatureKeys": "azcert.credential.sealing.signature",
    "Signer": "azcert.certificate.signer",
    "SigningCertificate": "azcert.certificate.signer",
    "SigningError": "azcert.errors",
    "Source": "azcert.sources.source",
    "SourceError": "azcert.errors",
    "TokenCache": "azcert.credential.caches.entry",
    "TransportError": "azcert.errors",
    "open_source": "azcert.sources.open",
    "parse_source": "azcert.sources.uris.uri",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    return late(name, _HOMES, globals())


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
