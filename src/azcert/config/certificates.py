"""The settings that name a certificate: .NET's store, a file, and what only azcert can say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azcert.config.origin import wrong
from azcert.errors import AzcertError, ConfigurationError, SourceError
from azcert.sources.uri import DotnetUri, StoreUri, parse_source
from azcert.sources.uri_store import parse_store_name
from azcert.stores.names import Location, Selector
from azcert.stores.passphrase import PassphraseFrom

if TYPE_CHECKING:
    from azcert._redact import Secret
    from azcert.config.origin import Entry
    from azcert.config.settings import Settings

__all__ = ["CERTIFICATE_KEYS", "certificate_arguments", "in_store", "password_of", "source_name"]

CERTIFICATE_KEYS = (
    "certificate",
    "clientCertificate",
    "clientCertificateStoreName",
    "clientCertificateStoreLocation",
    "clientCertificatePath",
    "clientCertificatePassword",
    "clientCertificatePasswordFrom",
    "clientCertificateSubject",
    "clientCertificateIssuer",
    "sendCertificateChain",
)
_SELECTING = ("clientCertificate", "clientCertificateSubject", "clientCertificateIssuer")


def certificate_arguments(section: Settings) -> dict[str, Any] | None:
    """Return ``certificate`` (names of sources, tried in order), ``password`` and ``send_certificate_chain``.

    None if the section names no certificate.

    :raises azcert.errors.ConfigurationError: two certificates are named, or one not well.
    """
    ways = {
        "certificate": section.entry("certificate"),
        "clientCertificatePath": section.entry("clientCertificatePath"),
        "clientCertificate": next(filter(None, map(section.entry, _SELECTING)), None),
    }
    named = {name: entry for name, entry in ways.items() if entry is not None and entry.text}
    if not named:
        return None
    if len(named) > 1:
        first, second = list(named.values())[:2]
        raise wrong(
            second, f"names a certificate, and so does {first.key} ({first.origin})", code="two-certificates"
        )
    name, entry = next(iter(named.items()))
    if name == "clientCertificate":
        names = in_store(
            entry,
            f"{section.text('clientCertificateStoreLocation') or Location.CURRENT_USER}/"
            f"{section.text('clientCertificateStoreName') or 'My'}",
            thumbprint=section.text("clientCertificate"),
            subject=section.text("clientCertificateSubject"),
            issuer=section.text("clientCertificateIssuer"),
        )
    else:
        names = (source_name(entry, section.text(name) or ""),)
    arguments: dict[str, Any] = {"certificate": names}
    password = password_of(section, "clientCertificatePassword")
    if password is not None:
        arguments["password"] = password
    chain = section.boolean("sendCertificateChain")
    if chain is not None:
        arguments["send_certificate_chain"] = chain
    return arguments


def password_of(section: Settings, name: str) -> Secret | PassphraseFrom | None:
    """Return the password at *name*, or where ``<name>From`` says it is (``env:NAME``, ``file:PATH``, ...).

    :raises azcert.errors.ConfigurationError: both are given, or the place is not well formed.
    """
    origin, entry = section.text(f"{name}From"), section.entry(f"{name}From")
    if origin is None or entry is None:
        return section.secret(name)
    if section.text(name) is not None:
        raise wrong(entry, f"says where the password is, and {name} gives one", code="two-passwords")
    try:
        return PassphraseFrom.read_text(origin)
    except ConfigurationError as error:
        raise wrong(entry, f"names no place: {error.message.rstrip('.')}", code=error.code) from None


def in_store(
    entry: Entry,
    store: str,
    *,
    thumbprint: str | None = None,
    subject: str | None = None,
    issuer: str | None = None,
) -> tuple[str, ...]:
    """Return the sources of a certificate in a store: azcert's or Windows' own, then .NET's on Linux.

    .NET keeps no certificates with keys for LocalMachine on Linux, so there azcert's alone is left.

    :raises azcert.errors.ConfigurationError: the store or the thumbprint is not well formed.
    """
    try:
        name = parse_store_name(store)
        parsed = StoreUri(name, Selector(subject=subject, issuer=issuer, thumbprint=thumbprint))
        names = [str(parse_source(str(parsed)))]
        if name.location is Location.CURRENT_USER:
            names.append(str(parse_source(str(DotnetUri(name, parsed.selector)))))
    except SourceError as error:
        raise _not_well_formed(entry, error) from None
    return tuple(names)


def source_name(entry: Entry, text: str) -> str:
    """Return *text*, the name of a source, as it is when it is well formed.

    :raises azcert.errors.ConfigurationError: it is not.
    """
    try:
        parse_source(text)
    except SourceError as error:
        raise _not_well_formed(entry, error) from None
    return text


def _not_well_formed(entry: Entry, error: AzcertError) -> ConfigurationError:
    return wrong(
        entry, f"names no certificate: {error.message.rstrip('.')}", code=error.code, remedy=error.remedy
    )
