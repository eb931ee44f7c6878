"""Sections that name an application: .NET's three ways to give a secret, and a certificate in its place.

Flat keys (Microsoft.Extensions.Azure), a ``Credential`` section (Azure.Core) and the section and lists of
Microsoft.Identity.Web; `azcert.config.credentials.choose` reads the same.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from azcert._redact import Secret
from azcert.errors import ConfigurationError
from azcert.migration.model import Change, Identity
from azcert.migration.tree import members

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from azcert.migration.formats import Format, Value
    from azcert.migration.tree import Member

    Edit = tuple[Member, list[tuple[str, Value]]]

__all__ = ["Sections"]

_LISTS = r"(?:clientcredentials|clientcertificates)"
_IN_LIST = re.compile(rf"{_LISTS}:\d+:[^:]+")
_ITEM_DEPTH = 3
_SECRET = "clientsecret"  # noqa: S105 - a key in lower case
_IN_SECRETS = re.compile(rf"{_SECRET}|{_LISTS}:\d+:{_SECRET}")
_PLACES = re.compile(rf"certificate|clientcertificatepath|{_LISTS}:\d+:certificatediskpath")
_BESIDE = (
    "certificate",
    "clientcertificate",
    "clientcertificatepath",
    "clientcertificatepassword",
    "certificatediskpath",
    "certificatepassword",
)
# Keys and names that sections of Microsoft.Identity.Web have and others have not.
_WEB_KEYS = {
    "instance",
    "domain",
    "callbackpath",
    "signedoutcallbackpath",
    "audience",
    "audiences",
    "sendx5c",
}
_WEB_SECTIONS = {"azuread", "azureadb2c", "entraid"}
_OF_SECRETS = {"clientsecret", "6"}
"""``SourceType`` of Microsoft.Identity.Web's enumeration, by name and number."""


@dataclass(frozen=True)
class Sections:
    """Finds and rewrites the applications of a file.

    :param name: the file, for messages.
    :param below: texts of the layer that the file adds to, by their keys in lower case.
    """

    form: Format
    name: str
    below: Mapping[str, str | None] = field(default_factory=dict, repr=False)

    def find(self, text: str) -> list[Identity]:
        """Return every section that names an application with a secret or a certificate.

        :raises ConfigurationError: ``malformed``.
        """
        return [each.identity for each in self._sections(text) if each.is_named]

    def rewrite(self, text: str, identity: Identity, source: str) -> Change:
        """Return the text with *source* in the place of the section's secret.

        :raises ConfigurationError: ``not-rewritable``: the section gives its secret twice, or in an unknown
            way; the remedy says what to write.
        """
        section = next(each for each in self._sections(text) if each.identity.section == identity.section)
        lines = []
        for member, pairs in section.edits(source):
            rewritten = self.form.rewrite(text, member, pairs)
            if rewritten is None:
                raise _not_rewritable(
                    identity,
                    f"line {member.line} is written in a way that azcert does not change",
                    f"Write {self.form.example(pairs)} there instead of {member.key}",
                )
            text, line = rewritten
            lines.append(line)
        return Change(text, tuple(lines))

    def _sections(self, text: str) -> list[_Section]:
        found: dict[str, _Section] = {}
        for member in members(self.form.parse(text, self.name)):
            parts = ":".join(map(str, member.path)).split(":")
            # A key of the section itself, or of an item of one of its lists.
            depth = _ITEM_DEPTH if _IN_LIST.fullmatch(":".join(parts[-_ITEM_DEPTH:]).lower()) else 1
            name = ":".join(parts[:-depth])
            section = found.setdefault(name.lower(), _Section(name, self._texts_below(name)))
            section.own[":".join(parts[-depth:]).lower()] = member
        return list(found.values())

    def _texts_below(self, name: str) -> dict[str, str | None]:
        prefix = f"{name.lower()}:" if name else ""
        return {key[len(prefix) :]: text for key, text in self.below.items() if key.startswith(prefix)}


@dataclass(frozen=True)
class _Section:
    """A section's members by their keys in lower case, its lists' too (``clientcredentials:0:...``)."""

    name: str
    below: dict[str, str | None] = field(repr=False)
    own: dict[str, Member] = field(default_factory=dict)

    @property
    def is_named(self) -> bool:
        identity = self.identity
        return identity.secret is not None or bool(identity.certificate and identity.client_id)

    @property
    def identity(self) -> Identity:
        secret = next((each.text for each in self._secrets()), None)
        return Identity(
            section=self.name,
            tenant_id=self._text("tenantid"),
            client_id=self._text("clientid"),
            secret=Secret(secret) if secret else None,
            certificate=next((each.text for each in self._matching(_PLACES)), None),
        )

    def edits(self, source: str) -> list[Edit]:
        """Return what to write in whose place.

        :raises ConfigurationError: ``not-rewritable``.
        """
        secrets = self._secrets()
        if len(secrets) != 1:
            raise _not_rewritable(
                self.identity,
                f"it has {len(secrets)} secrets",
                "Leave the one that counts, and run it again",
            )
        secret = secrets[0]
        item = next(name for name, each in self.own.items() if each is secret).rpartition(":")[0]
        self._require_no_certificate(secret, item)
        if item:
            self._require(f"{item}:sourcetype", "SourceType")
            pair = (_like(secret.key, "CertificateDiskPath"), source)
            return self._switch(f"{item}:sourcetype", "SourceType", "Path", secret, pair)
        for name in ("Credential", "CredentialSource"):
            kind = self._text(name.lower())
            if kind is None:
                continue
            if name == "CredentialSource" and _short(kind) == "environment":
                return [(secret, [(_like(secret.key, "ClientCertificatePath"), source)])]
            self._require(name.lower(), name)
            suffix = "Credential" if kind.lower().endswith("credential") else ""
            pair = (_like(secret.key, "Certificate"), source)
            return self._switch(name.lower(), name, f"ClientCertificate{suffix}", secret, pair)
        if not self._is_web():
            return [(secret, [(_like(secret.key, "Certificate"), source)])]
        if any(
            name.partition(":")[0] in {"clientcredentials", "clientcertificates"} for name in self._names()
        ):
            raise _not_rewritable(
                self.identity,
                f"a list of credentials stands beside {secret.key}",
                f"Add the certificate to the list by hand, and remove {secret.key}",
            )
        return [(secret, _web_list(secret.key, source))]

    def _require_no_certificate(self, secret: Member, item: str) -> None:
        """Check that no other key would be left that says what ours will."""
        prefix = f"{item}:" if item else ""
        beside = next((name for name in _BESIDE if self._text(prefix + name)), None)
        if beside is not None:
            raise _not_rewritable(
                self.identity,
                f"{beside} stands beside {secret.key}, which goes before it",
                f"Remove the one that is not used: {secret.key} where that certificate signs in",
            )

    def _require(self, name: str, written: str) -> None:
        """Check that the key which says what kind of credential it is says: a secret."""
        kind = self._text(name)
        if kind is None or _short(kind) not in _OF_SECRETS:
            raise _not_rewritable(
                self.identity,
                f"{f'no {written}' if kind is None else f'{written} {kind}'} stands beside the secret, which "
                "then is not used",
                "Remove the secret by hand, or that key",
            )

    def _switch(
        self, name: str, written: str, kind: str, secret: Member, pair: tuple[str, Value]
    ) -> list[Edit]:
        """Return the edits that change the kind of credential, in this layer where a lower one says it."""
        own = self.own.get(name)
        if own is None:
            return [(secret, [(_like(secret.key, written), kind), pair])]
        return [(own, [(own.key, kind)]), (secret, [pair])]

    def _is_web(self) -> bool:
        last = self.name.rpartition(":")[2].lower()
        return last in _WEB_SECTIONS or bool(_WEB_KEYS & self._names())

    def _names(self) -> set[str]:
        return {*self.own, *self.below}

    def _secrets(self) -> list[Member]:
        return [each for each in self._matching(_IN_SECRETS) if each.text]

    def _matching(self, pattern: re.Pattern[str]) -> Iterable[Member]:
        return (each for name, each in self.own.items() if pattern.fullmatch(name))

    def _text(self, name: str) -> str | None:
        return self.own[name].text if name in self.own else self.below.get(name)


def _short(kind: str) -> str:
    return kind.strip().lower().removesuffix("credential")


def _like(key: str, name: str) -> str:
    """Return *name* in the manner of *key*: its first letter's case, and the path in front of it."""
    path, colon, last = key.rpartition(":")
    return f"{path}{colon}{name if last[:1].isupper() else name[:1].lower() + name[1:]}"


def _web_list(key: str, source: str) -> list[tuple[str, Value]]:
    item = {"SourceType": "Path", "CertificateDiskPath": source}
    whole = _like(key, "ClientCredentials")
    if ":" not in key:
        return [(whole, [item])]
    return [(f"{whole}:0:{name}", text) for name, text in item.items()]


def _not_rewritable(identity: Identity, found: str, remedy: str) -> ConfigurationError:
    client = identity.client_id or "APP"
    return ConfigurationError(
        f"The section {identity.section or 'at the top'} cannot be rewritten: {found}.",
        code="not-rewritable",
        remedy=f"{remedy}. A certificate for it: azcert new NAME; "
        f"azcert app add-certificate {client} NAME.cer",
    )
