"""The settings that name a certificate: .NET's store, a file, and what only azcert can say."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azcert.config.reading.layers import fold
from azcert.config.reading.origin import wrong
from azcert.errors import ConfigurationError, SourceError
from azcert.sources.uris.store import parse_store_name
from azcert.sources.uris.uri import DotnetUri, StoreUri, parse_source
from azcert.stores.names import Location, Selector
from azcert.stores.passphrase import PassphraseFrom

if TYPE_CHECKING:
    from azcert._redact import Secret
    from azcert.config.reading.origin import Entry
    from azcert.config.reading.settings import Settings

__all__ = ["CERTIFICATE_KEYS", "certificate_arguments", "in_store", "password_of", "source_name"]

ASKING_KEYS = (
    "certificate",
    "clientCertificate",
    "clientCertificateStoreName",
    "clientCertificateStoreLocation",
    "clientCertificatePath",
    "clientCertificatePassword",
    "clientCertificatePasswordFrom",
    "clientCertificateSubject",
    "clientCertificateIssuer",
)
"""Keys that ask for a certificate, so that a section with one of them must name one."""

CERTIFICATE_KEYS = (*ASKING_KEYS, "sendCertificateChain")
_SELECTING = ("clientCertificate", "clientCertificateSubject", "clientCertificateIssuer")


def certificate_arguments(section: Settings) -> dict[str, Any] | None:
    """Return ``certificate`` (names of sources, tried in order), ``password`` and ``send_certificate_chain``.

    None if the section names no certificate.

    :raises azcert.errors.ConfigurationError: two certificates are named, or one not well.
    """
    ways = (("certificate",), ("clientCertificatePath",), _SELECTING)
    given = [each for way in ways if (each := _given(section, *way)) is not None]
    if not given:
        return None
    entry, text = _of_the_last_layer(given)
    if fold(entry.name) in map(fold, _SELECTING):
        names = _in_store_of(section, entry)
    else:
        names = (source_name(entry, text),)
    arguments: dict[str, Any] = {"certificate": names}
    password = password_of(section, "clientCertificatePassword")
    if password is not None:
        arguments["password"] = password
    chain = section.boolean("sendCertificateChain")
    if chain is not None:
        arguments["send_certificate_chain"] = chain
    return arguments


def _of_the_last_layer(given: list[tuple[Entry, str]]) -> tuple[Entry, str]:
    """Return the one that counts: a host's variables may name another certificate than the file does."""
    last = max(entry.origin.rank for entry, _ in given)
    first, *others = [each for each in given if each[0].origin.rank == last]
    if others:
        found = f"names a certificate, and so does {first[0].key} ({first[0].origin})"
        raise wrong(others[0][0], found, code="two-certificates", remedy="Keep one.")
    return first


def _given(section: Settings, *names: str) -> tuple[Entry, str] | None:
    for name in names:
        text, entry = section.text(name), section.entry(name)
        if text is not None and entry is not None:
            return entry, text
    return None


def _in_store_of(section: Settings, entry: Entry) -> tuple[str, ...]:
    location = _given(section, "clientCertificateStoreLocation")
    name = section.text("clientCertificateStoreName") or "My"
    return in_store(
        entry,
        f"{location[1] if location else Location.CURRENT_USER}/{name}",
        store_entry=location and location[0],
        thumbprint=section.text("clientCertificate"),
        subject=section.text("clientCertificateSubject"),
        issuer=section.text("clientCertificateIssuer"),
    )


def password_of(section: Settings, name: str) -> Secret | PassphraseFrom | None:
    """Return the password at *name*, or where ``<name>From`` says it is (``env:NAME``, ``file:PATH``, ...).

    :raises azcert.errors.ConfigurationError: both are given, or the place is not well formed.
    """
    origin, entry = section.text(f"{name}From"), section.entry(f"{name}From")
    if origin is None or entry is None:
        return section.secret(name)
    if section.text(name) is not None:
        raise wrong(
            entry,
            f"says where the password is, and {name} gives one",
            code="two-passwords",
            remedy="Keep one.",
        )
    try:
        return PassphraseFrom.read_text(origin)
    except ConfigurationError as error:
        raise wrong(entry, f"names no place: {error.message.rstrip('.')}", code=error.code) from None


def in_store(
    entry: Entry,
    store: str,
    *,
    store_entry: Entry | None = None,
    thumbprint: str | None = None,
    subject: str | None = None,
    issuer: str | None = None,
) -> tuple[str, ...]:
    """Return the sources of a certificate in a store: azcert's or Windows' own, then .NET's on Linux.

    .NET keeps no certificates with keys for LocalMachine on Linux, so there azcert's alone is left.

    :param entry: what is told about the certificate.
    :param store_entry: what names the store, *entry* without it.
    :raises azcert.errors.ConfigurationError: the store or the thumbprint is not well formed.
    """
    try:
        name = parse_store_name(store)
    except SourceError as error:
        raise wrong(
            store_entry or entry,
            f"names no store: {error.message.rstrip('.')}",
            code=error.code,
            remedy=error.remedy,
        ) from None
    try:
        parsed = StoreUri(name, Selector(subject=subject, issuer=issuer, thumbprint=thumbprint))
        names = [str(parse_source(str(parsed)))]
        if name.location is Location.CURRENT_USER:
            names.append(str(parse_source(str(DotnetUri(name, parsed.selector)))))
    except SourceError as error:
        raise wrong(
            entry,
            f"names no certificate: {error.message.rstrip('.')}",
            code=error.code,
            remedy="Copy the thumbprint again, or run 'azcert list'. A file is named by "
            "clientCertificatePath, any other place by certificate.",
        ) from None
    return tuple(names)


def source_name(entry: Entry, text: str) -> str:
    """Return *text*, the name of a source, as it is when it is well formed.

    :raises azcert.errors.ConfigurationError: it is not.
    """
    try:
        parse_source(text)
    except SourceError as error:
        raise wrong(
            entry, f"names no certificate: {error.message.rstrip('.')}", code=error.code, remedy=error.remedy
        ) from None
    return text
