"""The newer contract: a ``Credential`` section with a ``CredentialSource``, as Azure.Core documents it."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from azcert.config.credentials.application import (
    ENVIRONMENT_KEYS,
    certificate_spec,
    environment_spec,
    federated_spec,
)
from azcert.config.credentials.certificates import CERTIFICATE_KEYS
from azcert.config.credentials.default_chain import DEFAULT_KEYS, EXCLUSIONS, default_spec
from azcert.config.credentials.kinds import (
    COMMON_KEYS,
    ENTRA_KEYS,
    KINDS,
    SOURCE_NAMES,
    from_table,
    source_named,
)
from azcert.config.credentials.managed_identity import IDENTITY_KEYS, identity_by_kind
from azcert.config.credentials.spec import CredentialSpec
from azcert.config.options import pipeline_options
from azcert.config.reading.origin import wrong
from azcert.config.reading.unknown_keys import refuse_unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azcert.config.reading.origin import Entry
    from azcert.config.reading.settings import Settings

__all__ = ["from_section", "with_options"]

# Keys are no clients of a service, a chain leaves it to its links, and programs that are run have their own.
_WITHOUT_PIPELINE = frozenset(
    {
        "AzureKeyCredential",
        "ChainedTokenCredential",
        *(kind.cls for kind in KINDS.values() if kind.runs_program),
    }
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
        raise wrong(entry, f"is {SOURCE_NAMES[name]}, which cannot be part of a chain", code="wrong-chain")
    if name in KINDS:
        refuse_unknown(section, ("CredentialSource", *KINDS[name].keys, *COMMON_KEYS))
        return with_options(from_table(section, name, entry, environ), section)
    reader = {
        "managedidentity": _managed_identity,
        "managedidentityasfederatedidentity": _federated,
        "environment": _environment,
        "chainedtoken": _chained,
        "clientcertificate": _certificate,
        "defaultazure": _default,
    }[name]
    return with_options(reader(section, entry, environ), section)


def with_options(spec: CredentialSpec, section: Settings) -> CredentialSpec:
    """Return *spec* with the ``Retry``, ``Diagnostics`` and ``NetworkTimeout`` of its ``Credential`` section.

    :raises azcert.errors.ConfigurationError: one of their values is wrong.
    """
    options = pipeline_options(section)
    if not options or spec.kind in _WITHOUT_PIPELINE:
        return spec
    if spec.kind == "FirstUsable":
        return replace(spec, parts=tuple(with_options(part, section) for part in spec.parts))
    return replace(spec, arguments={**spec.arguments, **options})


def _managed_identity(section: Settings, entry: Entry, environ: Mapping[str, str]) -> CredentialSpec:
    del environ
    for kind in ("ClientId", "ResourceId", "ObjectId"):
        older = section.entry(kind) or section.entry(f"ManagedIdentity{kind}")
        if older is not None:
            raise wrong(
                older,
                "is not known here",
                code="unknown-setting",
                remedy=f'Write "ManagedIdentityIdKind": "{kind}" and "ManagedIdentityId".',
            )
    refuse_unknown(section, ("CredentialSource", *IDENTITY_KEYS, *COMMON_KEYS, "AdditionallyAllowedTenants"))
    return CredentialSpec("ManagedIdentityCredential", identity_by_kind(section), origin=str(entry.origin))


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
    refuse_unknown(section, ("CredentialSource", *ENVIRONMENT_KEYS, *COMMON_KEYS, *ENTRA_KEYS))
    return environment_spec(section, entry, environ)


def _chained(section: Settings, entry: Entry, environ: Mapping[str, str]) -> CredentialSpec:
    refuse_unknown(section, ("CredentialSource", "Sources"))
    items = section.items("Sources")
    if not items:
        raise wrong(
            entry,
            "needs Sources, a list of at least one credential",
            code="incomplete-credential",
            remedy='Add "Sources": [{ "CredentialSource": ... }, ...].',
        )
    for item in items:
        if item.entry("CredentialSource") is None:
            raise wrong(
                next(iter(item)),
                f"lies in {item.path}, which has no CredentialSource",
                code="wrong-chain",
                remedy="Each item of Sources is a credential with a CredentialSource.",
            )
    parts = tuple(from_section(item, environ, nested=True) for item in items)
    return CredentialSpec("ChainedTokenCredential", {}, parts, str(entry.origin))


def _default(section: Settings, entry: Entry, environ: Mapping[str, str]) -> CredentialSpec:
    del environ
    refuse_unknown(section, ("CredentialSource", *DEFAULT_KEYS, *EXCLUSIONS, *COMMON_KEYS, *ENTRA_KEYS))
    return default_spec(section, str(entry.origin))
