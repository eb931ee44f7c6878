"""From a description to the credential: azcert's class for certificates, azure-identity's for all others."""

from __future__ import annotations

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Any

from azcert._redact import Secret
from azcert.config.credentials.key_credentials import KEY_CLASSES, build_key
from azcert.config.credentials.spec import CachePersistence
from azcert.config.options import realise
from azcert.errors import AzcertError, ConfigurationError
from azcert.stores.passphrase import PassphraseFrom

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azcert.config.credentials.spec import CredentialSpec

__all__ = ["build_credential"]

# Kind -> module and class, for threads and awaited; every other kind is azure-identity's class of that name.
_OURS: dict[str, tuple[str, str]] = {
    "CertificateCredential": (
        "azcert.credential.sync:CertificateCredential",
        "azcert.credential.async_:CertificateCredential",
    ),
    "DefaultCredential": (
        "azcert.credential.chain.sync:DefaultCredential",
        "azcert.credential.chain.async_:DefaultCredential",
    ),
    "EnvironmentCredential": (
        "azcert.credential.chain.sync:EnvironmentCredential",
        "azcert.credential.chain.async_:EnvironmentCredential",
    ),
    "FirstUsable": ("azcert.credential.chain.sync:FirstUsable", "azcert.credential.chain.async_:FirstUsable"),
    "ManagedIdentityAsFederatedIdentity": (
        "azcert.config.credentials.federated:FederatedCredential",
        "azcert.config.credentials.federated:AsyncFederatedCredential",
    ),
    "InteractiveBrowserBrokerCredential": ("azure.identity.broker:InteractiveBrowserBrokerCredential", ""),
    "InteractiveBrowserCredential": ("azure.identity:InteractiveBrowserCredential", ""),
}
_ONLY_DOTNET = {"VisualStudioCredential": "Visual Studio's sign-in, which only .NET programs can use"}


def build_credential(spec: CredentialSpec, *, asynchronous: bool) -> Any:
    """Return the credential that *spec* describes.

    :raises azcert.errors.ConfigurationError: the class refuses its arguments, or has no awaited form.
    :raises azcert.errors.AzcertError: a certificate cannot be used.
    """
    if spec.kind in KEY_CLASSES:
        return build_key(spec.kind, {name: _plain(value) for name, value in spec.arguments.items()})
    if spec.kind in _ONLY_DOTNET:
        raise ConfigurationError(
            f"The credential of {spec.origin} is {_ONLY_DOTNET[spec.kind]}.",
            code="only-dotnet",
            remedy="Use AzureCliCredential or VisualStudioCodeCredential.",
        )
    cls = _class(spec, asynchronous=asynchronous)
    try:
        return cls(*_parts(spec, asynchronous=asynchronous), **_arguments(spec))
    except AzcertError:
        raise
    except (ValueError, TypeError) as error:
        raise ConfigurationError(
            f"{spec.kind} refuses the settings of {spec.origin or 'this section'}: {error}",
            code="credential-refused",
            remedy="Correct the section; `azcert config show` prints what it amounts to.",
        ) from error


def _parts(spec: CredentialSpec, *, asynchronous: bool) -> list[Any]:
    if spec.kind == "CertificateCredential":
        return []  # its part signs in to the certificate's vault
    if spec.kind == "FirstUsable":
        return [_Later(part, asynchronous=asynchronous) for part in spec.parts]
    if spec.kind == "ChainedTokenCredential":
        usable = [part for part in spec.parts if part.kind not in _ONLY_DOTNET]
        return [_link(part, asynchronous=asynchronous) for part in usable or spec.parts]
    return [build_credential(part, asynchronous=asynchronous) for part in spec.parts]


def _link(spec: CredentialSpec, *, asynchronous: bool) -> Any:
    """Return a link of a chain; a certificate that this host does not have leads to the next one."""
    if spec.kind != "CertificateCredential":
        return build_credential(spec, asynchronous=asynchronous)
    module = import_module(f"azcert.credential.chain.{'async_' if asynchronous else 'sync'}")
    return module.late(_Later(spec, asynchronous=asynchronous))


class _Later:
    """Builds a part when a chain comes to it, so that one that cannot be used does not spoil the chain."""

    def __init__(self, spec: CredentialSpec, *, asynchronous: bool) -> None:
        self._spec = spec
        self._asynchronous = asynchronous
        self.name = _shown(spec)

    def __call__(self) -> Any:
        return build_credential(self._spec, asynchronous=self._asynchronous)


def _class(spec: CredentialSpec, *, asynchronous: bool) -> Any:
    package = "azure.identity.aio" if asynchronous else "azure.identity"
    path = _OURS.get(spec.kind, (f"azure.identity:{spec.kind}", f"{package}:{spec.kind}"))[asynchronous]
    if not path:
        raise ConfigurationError(
            f"{_shown(spec)} has no asynchronous form in azure-identity.",
            code="only-synchronous",
            remedy="Use azcert.AzureClients, or another credential.",
        )
    module, _, name = path.partition(":")
    try:
        return getattr(import_module(module), name)
    except ModuleNotFoundError as error:
        package = error.name or module
        raise ConfigurationError(
            f"{_shown(spec)} needs {package}, which is not installed.",
            code="package-missing",
            remedy=f"Install it: pip install {package.replace('.', '-')}",
        ) from error


def _shown(spec: CredentialSpec) -> str:
    return f"{spec.kind} ({spec.origin})" if spec.origin else spec.kind


def _arguments(spec: CredentialSpec) -> dict[str, Any]:
    given = dict(spec.arguments)
    if spec.kind == "CertificateCredential":
        return {**_certificate(spec), **_ours(given)}
    if spec.kind in {"DefaultCredential", "EnvironmentCredential"}:
        return _ours(given)
    return realise({name: _plain(value) for name, value in given.items()})


def _ours(given: Mapping[str, Any]) -> dict[str, Any]:
    """Return arguments of azcert's classes, which take no policies; certificates are read apart."""
    apart = {
        "certificate",
        "certificate_data",
        "password",
        "diagnostics",
        "logging",
        "telemetry",
        "api_version",
    }
    return {name: _plain(value) for name, value in given.items() if name not in apart}


def _plain(value: Any) -> Any:
    if isinstance(value, Secret):
        return value.reveal()
    if isinstance(value, CachePersistence):
        from azure.identity import TokenCachePersistenceOptions  # slow to import

        named = {} if value.name is None else {"name": value.name}
        return TokenCachePersistenceOptions(
            allow_unencrypted_storage=value.allow_unencrypted_storage, **named
        )
    return value


def _certificate(spec: CredentialSpec) -> dict[str, Any]:
    password = spec.arguments.get("password")
    if isinstance(password, PassphraseFrom):
        password = password.read()
    data = spec.arguments.get("certificate_data")
    if data is not None:
        return {"certificate_data": data.reveal_bytes(), "password": password}
    from azcert.config.credentials.either import FirstFound  # most programs have no certificate
    from azcert.sources.open import open_source

    # .NET's store for Linux is not Windows' own, which the first name already means there.
    names = [
        name for name in spec.arguments["certificate"] if sys.platform != "win32" or name[:7] != "dotnet:"
    ]
    # A vault is read by threads, also for the asynchronous credential.
    vault = build_credential(spec.parts[0], asynchronous=False) if spec.parts else None
    sources = [open_source(name, password=password, credential=vault) for name in names]
    return {"certificate": sources[0] if len(sources) == 1 else FirstFound(*sources)}
