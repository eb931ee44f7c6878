"""The asynchronous public names: the same as in `azcert`, awaited; each is imported when it is first used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azcert.config.async_ import AzureClients
    from azcert.credential.async_ import CertificateCredential
    from azcert.credential.chain.async_ import DefaultCredential
    from azcert.vault.async_ import SecretCachePolicy

__all__ = ["AzureClients", "CertificateCredential", "DefaultCredential", "SecretCachePolicy"]

_HOMES = {
    "AzureClients": "azcert.config.async_",
    "CertificateCredential": "azcert.credential.async_",
    "DefaultCredential": "azcert.credential.chain.async_",
    "SecretCachePolicy": "azcert.vault.async_",
}


def __getattr__(name: str) -> Any:
    """Import a public name on first use (PEP 562)."""
    if name not in _HOMES:
        raise AttributeError(f"module 'azcert.aio' has no attribute {name!r}")
    from importlib import import_module

    value = getattr(import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
