"""Which entries a selector matches, by .NET's find rules, and which of them is meant: pure decisions.

The rules are those of ``X509Certificate2Collection.Find`` (dotnet/runtime, ManagedCertificateFinder); the
choice among several is Microsoft.Identity.Web's: valid now, then the newest ``NotBefore``.
"""

from __future__ import annotations

import difflib
import re
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.x509.oid import NameOID

from azcert.errors import SelectionError

if TYPE_CHECKING:
    import datetime as dt
    from collections.abc import Collection, Iterable, Sequence

    from azcert.stores.names import Selector
    from azcert.stores.store import Entry

__all__ = ["choose", "find", "only", "values_of"]

_SHOWN = 5  # entries listed in a message
_LABEL = re.compile(r"(^|(?<!\\)[,+])\s*([A-Za-z0-9.]+)\s*=")
_DN = re.compile(r"\s*[A-Za-z0-9.]+\s*=")
# Labels that .NET prints and RFC 4514 does not know.
_DOTNET_LABELS = {
    "E": NameOID.EMAIL_ADDRESS,
    "S": NameOID.STATE_OR_PROVINCE_NAME,
    "SERIALNUMBER": NameOID.SERIAL_NUMBER,
    "T": NameOID.TITLE,
    "G": NameOID.GIVEN_NAME,
    "SN": NameOID.SURNAME,
}


def values_of(name: x509.Name) -> str:
    """Return a name's values without labels, in encoding order, joined by ``", "``: what .NET searches."""
    return ", ".join(str(attribute.value) for attribute in name)


def find(entries: Iterable[Entry], selector: Selector) -> list[Entry]:
    """Return the entries that match every part of *selector*, in their order."""
    subject = _NameTest(selector.subject)
    issuer = _NameTest(selector.issuer)
    return [
        entry
        for entry in entries
        if selector.thumbprint in {None, entry.thumbprint, entry.thumbprint_sha256}
        and subject.matches(entry.subject, entry.subject_values)
        and issuer.matches(entry.issuer, entry.issuer_values)
        and (selector.serial is None or _is_serial(selector.serial, entry.serial))
    ]


class _NameTest:
    """Whole-name equality where the text is written with labels, else a substring of the values; no case."""

    def __init__(self, text: str | None) -> None:
        self._text = None if text is None else text.casefold()
        self._whole = None if text is None else _whole_name(text)

    def matches(self, name: str, values: str) -> bool:
        if self._text is None:
            return True
        if self._whole is not None:
            return self._whole == name.casefold()
        return self._text in values.casefold()


def _whole_name(text: str) -> str | None:
    """Return *text* as RFC 4514 without case if it is a distinguished name, as .NET or OpenSSL write it."""
    if not _DN.match(text):
        return None
    # .NET quotes a value with a comma and puts a space behind each separator.
    unquoted = re.sub(r'="([^"]*)"', lambda found: "=" + re.sub(r"([,+;<>\\])", r"\\\1", found[1]), text)
    plain = _LABEL.sub(lambda found: f"{found[1]}{found[2].upper()}=", unquoted.strip())
    try:
        return x509.Name.from_rfc4514_string(plain, _DOTNET_LABELS).rfc4514_string().casefold()
    except ValueError:
        return None


def _is_serial(wanted: str, serial: str) -> bool:
    number = int(serial, 16)
    return int(wanted, 16) == number or (wanted.isdigit() and int(wanted) == number)


def only(entries: Sequence[Entry], selector: Selector, *, where: str) -> Entry:
    """Return the one entry that matches, whatever its validity; for commands that change something.

    :raises SelectionError: ``not-found`` or ``ambiguous``.
    """
    found = find(entries, selector)
    if not found:
        raise _not_found(entries, selector, where)
    if len(found) > 1:
        raise _ambiguous(found, selector, where)
    return found[0]


def choose(
    entries: Sequence[Entry],
    selector: Selector,
    *,
    now: dt.datetime,
    where: str,
    skip: Collection[str] = frozenset(),
    elsewhere: Sequence[Entry] = (),
) -> Entry:
    """Return the entry to sign with.

    A thumbprint names one certificate, valid or not. Anything else follows the newest certificate that is
    valid at *now* and has a private key, as long as all of them bear one subject.

    :param where: the store, for messages: ``"CurrentUser/My (/home/svc/...)"``.
    :param skip: SHA-1 thumbprints not to return.
    :param elsewhere: entries of other stores, looked at only to help where nothing was found.
    :raises SelectionError: ``not-found``, ``ambiguous`` or ``no-private-key``.
    """
    matching = find(entries, selector)
    candidates = [entry for entry in matching if entry.thumbprint not in skip]
    if not candidates:
        raise (
            _rejected(matching, selector, where)
            if matching
            else _not_found(entries, selector, where, find(elsewhere, selector))
        )
    if selector.thumbprint is None:
        valid = [entry for entry in candidates if entry.is_valid_at(now)]
        if not valid:
            raise _none_valid(candidates, selector, where, now)
        candidates = valid
    with_key = [entry for entry in candidates if entry.has_key]
    if not with_key:
        raise _no_private_key(candidates, selector, where)
    same = _one_subject(with_key, selector)
    if selector.serial is not None and len({entry.issuer for entry in same}) > 1:
        # A serial number is unique per issuer only (RFC 5280, 4.1.2.2).
        raise _ambiguous(same, selector, where)
    if len({entry.subject for entry in same}) > 1:
        raise _ambiguous(same, selector, where)
    return max(same, key=lambda entry: (entry.not_before, entry.not_after, entry.thumbprint))


def _one_subject(entries: list[Entry], selector: Selector) -> list[Entry]:
    """Prefer a whole value over a part: ``subject=app`` means CN=app where CN=app-test is there, too."""
    if selector.subject is None:
        return entries
    wanted = selector.subject.casefold()
    whole = [entry for entry in entries if wanted in entry.subject_values.casefold().split(", ")]
    return whole or entries


def _not_found(
    entries: Sequence[Entry], selector: Selector, where: str, elsewhere: Sequence[Entry] = ()
) -> SelectionError:
    if elsewhere:
        remedy = f"It is in another store: {_listed(elsewhere, with_store=True)}"
    elif not entries:
        remedy = "The store is empty: put a certificate into it with 'azcert import FILE'."
    else:
        near = _near(entries, selector)
        remedy = f"Nearest are: {_listed(near)}" if near else "'azcert list' shows what is there."
    if selector.subject is not None and _whole_name(selector.subject):
        value = re.split(r"[=,]", selector.subject)[1].strip()
        remedy += f" A name with labels must be the whole name; for a part, write subject={value}"
    return SelectionError(
        f"No certificate with {selector} is in {where}, which holds {_count(len(entries))}.",
        code="not-found",
        remedy=remedy,
        store=where,
        selector=_details(selector),
        elsewhere=[f"{entry.store}/{entry.thumbprint}" for entry in elsewhere],
    )


def _near(entries: Sequence[Entry], selector: Selector) -> list[Entry]:
    if selector.thumbprint is not None:
        return [entry for entry in entries if _is_mistyped(selector.thumbprint, entry)][:_SHOWN]
    wanted = selector.subject or selector.issuer
    if wanted is None:
        return []
    by_name = {
        (entry.subject_values if selector.subject else entry.issuer_values).casefold(): entry
        for entry in entries
    }
    return [by_name[name] for name in difflib.get_close_matches(wanted.casefold(), by_name, n=_SHOWN)]


def _is_mistyped(wanted: str, entry: Entry) -> bool:
    """Tell whether a few digits differ; two random thumbprints agree in one of sixteen."""
    actual = entry.thumbprint if len(wanted) == len(entry.thumbprint) else entry.thumbprint_sha256
    same = sum(ours == theirs for ours, theirs in zip(wanted, actual, strict=True))
    return same > len(actual) * 3 // 4


def _rejected(matching: Sequence[Entry], selector: Selector, where: str) -> SelectionError:
    return SelectionError(
        f"Every certificate with {selector} in {where} was already rejected: {_listed(matching)}",
        code="not-found",
        remedy="Import the renewed certificate, or register one of these with the application.",
        store=where,
        selector=_details(selector),
    )


def _none_valid(entries: Sequence[Entry], selector: Selector, where: str, now: dt.datetime) -> SelectionError:
    state = "has expired" if all(entry.not_after < now for entry in entries) else "is valid now"
    what = "Every" if state == "has expired" else "No"
    return SelectionError(
        f"{what} certificate with {selector} in {where} {state}: {_listed(entries)}",
        code="not-found",
        remedy="Import its successor, or set the clock if it is wrong.",
        store=where,
        selector=_details(selector),
        thumbprints=[entry.thumbprint for entry in entries],
    )


def _no_private_key(entries: Sequence[Entry], selector: Selector, where: str) -> SelectionError:
    return SelectionError(
        f"The certificate with {selector} in {where} has no private key there: {_listed(entries)}",
        code="no-private-key",
        remedy="Import the file that holds its private key, too (.pfx, or .pem with a PRIVATE KEY block).",
        store=where,
        selector=_details(selector),
        thumbprints=[entry.thumbprint for entry in entries],
    )


def _ambiguous(entries: Sequence[Entry], selector: Selector, where: str) -> SelectionError:
    return SelectionError(
        f"{len(entries)} different certificates with {selector} are in {where}: {_listed(entries)}",
        code="ambiguous",
        remedy="Name one by thumbprint=, or its whole subject=.",
        store=where,
        selector=_details(selector),
        thumbprints=[entry.thumbprint for entry in entries],
    )


def _details(selector: Selector) -> dict[str, str]:
    return {name: value for name, value in vars(selector).items() if value is not None}


def _listed(entries: Sequence[Entry], *, with_store: bool = False) -> str:
    shown = [
        f"{f'{entry.store}/' if with_store else ''}{entry.thumbprint} ({entry.subject},"
        f" {entry.not_before:%Y-%m-%d} to {entry.not_after:%Y-%m-%d})"
        for entry in entries[:_SHOWN]
    ]
    more = f", and {len(entries) - _SHOWN} more" if len(entries) > _SHOWN else ""
    return f"{', '.join(shown)}{more}."


def _count(number: int) -> str:
    return f"{number} certificate{'' if number == 1 else 's'}" if number else "none"
