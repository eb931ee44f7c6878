"""Microsoft.Identity.Web's lists: ``ClientCredentials`` and the older ``ClientCertificates``.

Sources: learn.microsoft.com/entra/msidweb/authentication/credentials-overview; ``CredentialDescription`` and
``CredentialSource`` of Microsoft.Identity.Abstractions. The first credential that can be used wins.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from azcert._values import nearest
from azcert.config.credentials.application import federated_spec, ids
from azcert.config.credentials.certificates import in_store, password_of, source_name
from azcert.config.credentials.kinds import common_arguments
from azcert.config.credentials.managed_identity import identity_arguments
from azcert.config.credentials.spec import CredentialSpec
from azcert.config.reading.notes import say
from azcert.config.reading.origin import wrong
from azcert.config.reading.unknown_keys import refuse_unknown

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from azcert.config.reading.origin import Entry
    from azcert.config.reading.settings import Settings

__all__ = ["IDENTITY_WEB_KEYS", "ITEM_KEYS", "LISTS", "SOURCE_TYPES", "from_lists"]

LISTS = ("ClientCredentials", "ClientCertificates")
IDENTITY_WEB_KEYS = (
    *LISTS,
    "Instance",
    "SendX5C",
    # A web application's settings, which have nothing to say here:
    "Domain",
    "CallbackPath",
    "SignedOutCallbackPath",
    "Audience",
    "Audiences",
    "Scopes",
    "AzureRegion",
    "ClientCapabilities",
    "EnablePiiLogging",
    "TokenDecryptionCredentials",
    "TokenDecryptionCertificates",
)
"""Keys of an ``AzureAd`` section besides those of `azcert.config.credentials.flat`."""

ITEM_KEYS = (
    "SourceType",
    "KeyVaultUrl",
    "KeyVaultCertificateName",
    "ManagedIdentityClientId",
    "Base64EncodedValue",
    "CertificateDiskPath",
    "CertificatePassword",
    "CertificatePasswordFrom",
    "CertificateStorePath",
    "CertificateThumbprint",
    "CertificateDistinguishedName",
    "CertificateSubjectName",
    "ClientSecret",
    "TokenExchangeUrl",
    "SignedAssertionFileDiskPath",
    "Algorithm",
    "Skip",
    "UseBoundCredential",
)
# The enumeration's numbers, which .NET's configuration takes as well.
_NAMES = (
    "Certificate",
    "KeyVault",
    "Base64Encoded",
    "Path",
    "StoreWithThumbprint",
    "StoreWithDistinguishedName",
    "ClientSecret",
    "SignedAssertionFromManagedIdentity",
    "SignedAssertionFilePath",
    "SignedAssertionFromVault",
    "AutoDecryptKeys",
    "CustomSignedAssertion",
    "ManagedCertificate",
    "StoreWithSubjectName",
)


def from_lists(section: Settings, environ: Mapping[str, str]) -> CredentialSpec | None:
    """Return the credential that the lists of *section* describe, None if it has none.

    :raises azcert.errors.ConfigurationError: an item misses a key, or no item is of a kind that Python has.
    """
    items = [item for name in LISTS for item in section.items(name) if not item.boolean("Skip")]
    kinds = [_kind(item) for item in items]
    if not items:
        return None
    any_usable = any(kind in _READERS for _, kind in kinds)
    specs: list[CredentialSpec] = []
    for item, (entry, kind) in zip(items, kinds, strict=True):
        if kind in _READERS:
            refuse_unknown(item, ITEM_KEYS)
            specs.append(_READERS[kind](section, item, entry, environ))
        else:
            _pass_over(entry, kind, others=any_usable)
    return specs[0] if len(specs) == 1 else CredentialSpec("FirstUsable", {}, tuple(specs), specs[0].origin)


def _pass_over(entry: Entry, kind: str, *, others: bool) -> None:
    """Go on to the next item, as .NET does when one cannot be used; refuse the list when no other can be."""
    found = f"is {kind}, which exists only inside of .NET programs"
    if not others:
        remedy = f"Use one of {', '.join(_READERS)}."
        raise wrong(entry, found, code="unknown-credential", remedy=remedy)
    say(f"The setting {entry.key} ({entry.origin}) {found}: the other items of the list are used.")


def _kind(item: Settings) -> tuple[Entry, str]:
    """Return the member of ``CredentialSource`` that the item's ``SourceType`` names, or numbers."""
    entry, text = item.entry("SourceType"), item.text("SourceType")
    if entry is None or text is None:
        raise wrong(
            next(iter(item)),
            f"lies in {item.path}, which has no SourceType",
            code="incomplete-credential",
            remedy=f"Add one of {', '.join(_READERS)}.",
        )
    if text.isdigit() and int(text) < len(_NAMES):
        return entry, _NAMES[int(text)]
    found = next((name for name in _NAMES if name.lower() == text.strip().lower()), None)
    if found is None:
        near = nearest(text, _NAMES)
        raise wrong(
            entry,
            f"is {entry.quoted}, which is no source of credentials",
            code="unknown-credential",
            remedy=f"Did you mean {near}?" if near else f"There are {', '.join(_READERS)}.",
        )
    return entry, found


def _required(item: Settings, entry: Entry, name: str) -> tuple[Entry, str]:
    found, text = item.entry(name), item.text(name)
    if found is None or text is None:
        raise wrong(
            entry,
            f"also needs {name}",
            code="incomplete-credential",
            remedy=f"Add {name} to {item.path}.",
        )
    return found, text


def _application(section: Settings, entry: Entry, environ: Mapping[str, str]) -> dict[str, Any]:
    arguments: dict[str, Any] = {**ids(section, entry, environ), **common_arguments(section)}
    chain = section.boolean("SendX5C")
    if chain is None:
        chain = section.boolean("sendCertificateChain")
    if chain is not None:
        arguments["send_certificate_chain"] = chain
    return arguments


def _certificate(
    section: Settings,
    item: Settings,
    entry: Entry,
    environ: Mapping[str, str],
    *,
    parts: tuple[CredentialSpec, ...] = (),
    **certificate: Any,
) -> CredentialSpec:
    arguments = {**_application(section, entry, environ), **certificate}
    password = password_of(item, "CertificatePassword")
    if password is not None:
        arguments["password"] = password
    return CredentialSpec("CertificateCredential", arguments, parts, str(entry.origin))


def _thumbprint(
    section: Settings, item: Settings, entry: Entry, environ: Mapping[str, str]
) -> CredentialSpec:
    _, store = _required(item, entry, "CertificateStorePath")
    found, thumbprint = _required(item, entry, "CertificateThumbprint")
    return _certificate(
        section, item, entry, environ, certificate=in_store(found, store, thumbprint=thumbprint)
    )


def _subject(key: str) -> Callable[[Settings, Settings, Entry, Mapping[str, str]], CredentialSpec]:
    def read(section: Settings, item: Settings, entry: Entry, environ: Mapping[str, str]) -> CredentialSpec:
        _, store = _required(item, entry, "CertificateStorePath")
        found, subject = _required(item, entry, key)
        return _certificate(
            section, item, entry, environ, certificate=in_store(found, store, subject=subject)
        )

    return read


def _path(section: Settings, item: Settings, entry: Entry, environ: Mapping[str, str]) -> CredentialSpec:
    found, path = _required(item, entry, "CertificateDiskPath")
    return _certificate(section, item, entry, environ, certificate=(source_name(found, path),))


def _base64(section: Settings, item: Settings, entry: Entry, environ: Mapping[str, str]) -> CredentialSpec:
    _required(item, entry, "Base64EncodedValue")
    data = item.secret("Base64EncodedValue")
    return _certificate(section, item, entry, environ, certificate_data=data)


def _key_vault(section: Settings, item: Settings, entry: Entry, environ: Mapping[str, str]) -> CredentialSpec:
    found, url = _required(item, entry, "KeyVaultUrl")
    _, name = _required(item, entry, "KeyVaultCertificateName")
    host = urlsplit(url).netloc or url.strip("/")
    # Like .NET, the certificate is fetched with its key, which takes the permission to read the secret.
    source = source_name(found, f"keyvault:{host}/{name}?download=true")
    client = item.text("ManagedIdentityClientId")
    vault = CredentialSpec("ManagedIdentityCredential", identity_arguments(client_id=client))
    return _certificate(
        section, item, entry, environ, certificate=(source,), parts=(vault,) if client else ()
    )


def _secret(section: Settings, item: Settings, entry: Entry, environ: Mapping[str, str]) -> CredentialSpec:
    _required(item, entry, "ClientSecret")
    arguments = {**ids(section, entry, environ), **common_arguments(section)}
    return CredentialSpec(
        "ClientSecretCredential",
        {**arguments, "client_secret": item.secret("ClientSecret")},
        origin=str(entry.origin),
    )


def _managed(section: Settings, item: Settings, entry: Entry, environ: Mapping[str, str]) -> CredentialSpec:
    identity = identity_arguments(client_id=item.text("ManagedIdentityClientId"))
    spec = federated_spec(section, entry, identity, environ)
    audience = item.text("TokenExchangeUrl")
    if audience is None:
        return spec
    scope = {"scope": f"{audience.rstrip('/')}/.default"}
    return CredentialSpec(spec.kind, {**spec.arguments, **scope}, spec.parts, spec.origin)


def _file(section: Settings, item: Settings, entry: Entry, environ: Mapping[str, str]) -> CredentialSpec:
    path = item.text("SignedAssertionFileDiskPath") or environ.get("AZURE_FEDERATED_TOKEN_FILE")
    if path is None:
        _required(item, entry, "SignedAssertionFileDiskPath")
    arguments = {**ids(section, entry, environ), **common_arguments(section), "token_file_path": path}
    return CredentialSpec("WorkloadIdentityCredential", arguments, origin=str(entry.origin))


_READERS: dict[str, Callable[[Settings, Settings, Entry, Mapping[str, str]], CredentialSpec]] = {
    "StoreWithThumbprint": _thumbprint,
    "StoreWithDistinguishedName": _subject("CertificateDistinguishedName"),
    "StoreWithSubjectName": _subject("CertificateSubjectName"),
    "Path": _path,
    "KeyVault": _key_vault,
    "Base64Encoded": _base64,
    "ClientSecret": _secret,
    "SignedAssertionFromManagedIdentity": _managed,
    "SignedAssertionFilePath": _file,
}

SOURCE_TYPES = tuple(_READERS)
"""The sources of credentials that can be used from Python."""
