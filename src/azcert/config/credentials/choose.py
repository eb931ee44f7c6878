"""From a section to the credential it asks for; nothing is built here.

Three contracts meet, in this order: the ``Credential`` section (`credential_source`), the lists of
Microsoft.Identity.Web (`identity_web`), the flat keys (`flat`). Only a credential that is named
(``credential: managedidentity``) goes before lists.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from azcert.config.credentials.certificates import CERTIFICATE_KEYS
from azcert.config.credentials.credential_source import from_section, with_options
from azcert.config.credentials.flat import FLAT_KEYS, from_flat
from azcert.config.credentials.identity_web import IDENTITY_WEB_KEYS, from_lists
from azcert.config.credentials.key_credentials import from_key_section
from azcert.config.options import OPTION_KEYS
from azcert.config.reading.origin import wrong
from azcert.config.reading.references import section_reference
from azcert.config.reading.unknown_keys import refuse_unknown

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azcert.config.credentials.spec import CredentialSpec
    from azcert.config.reading.settings import Settings

__all__ = ["CREDENTIAL_KEYS", "choose_credential"]

CREDENTIAL_KEYS = (*FLAT_KEYS, *IDENTITY_WEB_KEYS)
"""The keys of a client's section that are about its credential."""


def choose_credential(section: Settings, environ: Mapping[str, str] | None = None) -> CredentialSpec | None:
    """Return the credential that *section* asks for, None if it says nothing about credentials.

    :param environ: where ids and secrets that are not in the section may be; the process's own without it.
    :raises azcert.errors.ConfigurationError: it asks for something unknown, incomplete or contradictory.
    """
    environ = os.environ if environ is None else environ
    inner = section.section("Credential")
    if inner and all(name.isdigit() for name in inner.names()):
        raise wrong(
            next(iter(inner)),
            "lies in a list; Credential is one credential",
            code="wrong-credential",
            remedy='For several write "CredentialSource": "ChainedTokenCredential", "Sources": [...].',
        )
    if inner and _section_wins(section, inner):
        return _inside(inner, environ)
    named = section.written("credential")
    lists = None if named is not None and named.text else from_lists(section, environ)
    return lists or from_flat(section, environ)


def _section_wins(section: Settings, inner: Settings) -> bool:
    """Tell whether ``Credential: {...}`` counts and not ``credential: name``; the later layer's does."""
    written = section.written("Credential")
    if written is None or (isinstance(written.text, str) and section_reference(written.text)):
        return True
    newest = max(entry.origin.rank for entry in inner)
    if newest == written.origin.rank:
        raise wrong(
            written, "stands beside a section of the same name", code="two-credentials", remedy="Keep one."
        )
    return newest > written.origin.rank


def _inside(inner: Settings, environ: Mapping[str, str]) -> CredentialSpec:
    if inner.entry("CredentialSource") is not None:
        return from_section(inner, environ)
    key = from_key_section(inner)
    if key is not None:
        return key
    listed = ("CredentialSource", "tenantId", "clientId", "clientSecret", *CERTIFICATE_KEYS)
    refuse_unknown(inner, (*CREDENTIAL_KEYS, *OPTION_KEYS, "CredentialSource"), listed=listed)
    spec = from_lists(inner, environ) or from_flat(inner, environ)
    if spec is None:
        raise wrong(
            next(iter(inner)),
            "lies in a Credential section that names no credential",
            code="incomplete-credential",
            remedy="Add CredentialSource, or one of certificate, clientCertificate, clientSecret.",
        )
    return with_options(spec, inner)
