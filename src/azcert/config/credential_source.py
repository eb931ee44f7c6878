"""The newer contract: a ``Credential`` section with a ``CredentialSource``, as Azure.Core documents it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azcert._redact import Secret
from azcert.config.application import certificate_spec, federated_spec, ids
from azcert.config.certificates import CERTIFICATE_KEYS
from azcert.config.default_chain import DEFAULT_KEYS, default_spec
from azcert.config.kinds import COMMON_KEYS, ENTRA_KEYS, KINDS, from_table, shared_arguments, source_named
from azcert.config.managed_identity import IDENTITY_KEYS, identity_by_kind
from azcert.config.options import read_options, refuse_unknown
from azcert.config.origin import wrong
from azcert.config.spec import CredentialSpec

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azcert.config.origin import Entry
    from azcert.config.settings import Settings

__all__ = ["from_section"]

_ENVIRONMENT_KEYS = (
    "TenantId",
    "ClientId",
    "ClientSecret",
    "ClientCertificatePath",
    "ClientCertificatePassword",
    "ClientCertificatePasswordFrom",
    "SendCertificateChain",
)


def from_section(section: Settings, environ: Mapping[str, str], *, nested: bool = False) -> CredentialSpec:
    """Return the credential that a section with a ``CredentialSource`` describes.

    :param nested: it is part of a chain.
    :raises azcert.errors.ConfigurationError: the source is unknown, or a key is missing, wrong or unknown.
    """
    entry = section.entry("CredentialSource")
    assert entry is not None, "the caller has seen it"  # noqa: S101
    name = source_named(entry, section.text("CredentialSource") or "")
    if nested and name in {"chainedtoken", "apikey"}:
        raise wrong(entry, f"is {name}, which cannot be part of a chain", code="wrong-chain")
    if name in KINDS:
        refuse_unknown(section, ("CredentialSource", *KINDS[name].keys, *COMMON_KEYS))
        return from_table(section, name, entry, environ)
    reader = {
        "managedidentity": _managed_identity,
        "managedidentityasfederatedidentity": _federated,
        "environment": _environment,
        "chainedtoken": _chained,
        "clientcertificate": _certificate,
        "default": _default,
    }[name]
    return reader(section, entry, environ)


def _managed_identity(section: Settings, entry: Entry, environ: Mapping[str, str]) -> CredentialSpec:
    del environ
    refuse_unknown(section, ("CredentialSource", *IDENTITY_KEYS, *COMMON_KEYS, "AdditionallyAllowedTenants"))
    arguments = identity_by_kind(section)
    arguments.update(read_options(section))
    return CredentialSpec("ManagedIdentityCredential", arguments, origin=str(entry.origin))


def _federated(section: Settings, entry: Entry, environ: Mapping[str, str]) -> CredentialSpec:
    refuse_unknown(
        section,
        (
            "CredentialSource",
            "TenantId",
            "ClientId",
            "AzureCloud",
            "DisableMtlsProofOfPossession",
            *IDENTITY_KEYS,
            *COMMON_KEYS,
            *ENTRA_KEYS,
        ),
    )
    identity = identity_by_kind(section)
    if not identity:
        raise wrong(
            entry,
            "needs a user-assigned managed identity",
            code="incomplete-credential",
            remedy="Add ManagedIdentityIdKind and ManagedIdentityId.",
        )
    return federated_spec(section, entry, identity, environ)


def _certificate(section: Settings, entry: Entry, environ: Mapping[str, str]) -> CredentialSpec:
    refuse_unknown(
        section, ("CredentialSource", "TenantId", "ClientId", *CERTIFICATE_KEYS, *COMMON_KEYS, *ENTRA_KEYS)
    )
    return certificate_spec(section, entry, environ)


def _environment(section: Settings, entry: Entry, environ: Mapping[str, str]) -> CredentialSpec:
    """Read EnvironmentCredential's keys: what is written here first, then the environment's variables."""
    refuse_unknown(section, ("CredentialSource", *_ENVIRONMENT_KEYS, *COMMON_KEYS, *ENTRA_KEYS))
    if all(section.text(name) is None for name in _ENVIRONMENT_KEYS):
        return CredentialSpec("EnvironmentCredential", shared_arguments(section), origin=str(entry.origin))
    secret = section.secret("ClientSecret")
    if secret is None and section.text("ClientCertificatePath") is not None:
        return certificate_spec(section, entry, environ)
    if secret is None and environ.get("AZURE_CLIENT_SECRET"):
        secret = Secret(environ["AZURE_CLIENT_SECRET"])
    arguments: dict[str, Any] = {**ids(section, entry, environ), **shared_arguments(section)}
    if secret is not None:
        arguments["client_secret"] = secret
        return CredentialSpec("ClientSecretCredential", arguments, origin=str(entry.origin))
    path = environ.get("AZURE_CLIENT_CERTIFICATE_PATH")
    if path is None:
        raise wrong(
            entry,
            "asks for the environment's credential, and there is neither a secret nor a certificate",
            code="incomplete-credential",
            remedy="Set AZURE_CLIENT_CERTIFICATE_PATH, or add ClientCertificatePath to the section.",
        )
    arguments["certificate"] = (path,)
    if environ.get("AZURE_CLIENT_CERTIFICATE_PASSWORD"):
        arguments["password"] = Secret(environ["AZURE_CLIENT_CERTIFICATE_PASSWORD"])
    return CredentialSpec("CertificateCredential", arguments, origin=str(entry.origin))


def _chained(section: Settings, entry: Entry, environ: Mapping[str, str]) -> CredentialSpec:
    refuse_unknown(section, ("CredentialSource", "Sources"))
    items = section.section("Sources").items()
    if not items:
        raise wrong(entry, "needs Sources, a list of at least one credential", code="incomplete-credential")
    for item in items:
        if item.entry("CredentialSource") is None:
            raise wrong(
                next(iter(item)), f"lies in {item.path}, which has no CredentialSource", code="wrong-chain"
            )
    parts = tuple(from_section(item, environ, nested=True) for item in items)
    return CredentialSpec("ChainedTokenCredential", {}, parts, str(entry.origin))


def _default(section: Settings, entry: Entry, environ: Mapping[str, str]) -> CredentialSpec:
    del environ
    refuse_unknown(section, ("CredentialSource", *DEFAULT_KEYS, *COMMON_KEYS, *ENTRA_KEYS))
    return default_spec(section, str(entry.origin))
