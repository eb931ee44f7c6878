"""The asynchronous public names: the same as in `azcert`, awaited; each is imported when it is first used."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azcert._late import late

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
    return late(name, _HOMES, globals())


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
