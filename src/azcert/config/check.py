"""What is wrong with settings, found without signing in."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from importlib import import_module
from typing import TYPE_CHECKING

from azcert._values import nearest, words
from azcert.config.clients.section import STRUCTURE
from azcert.config.clients.shape import CORE_KEYWORDS
from azcert.config.credentials.choose import CREDENTIAL_KEYS, choose_credential
from azcert.config.credentials.identity_web import LISTS
from azcert.config.options import OPTION_KEYS
from azcert.config.reading.layers import fold
from azcert.config.reading.notes import secret_in_file
from azcert.config.reading.origin import Place
from azcert.config.reading.secrecy import is_secret
from azcert.config.sections import DEFAULT_SECTIONS, Sections
from azcert.errors import AzcertError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from azcert.config.reading.settings import Settings

__all__ = ["Finding", "check_settings", "client_class", "described_sections", "unresolved"]

_LISTS = frozenset(map(fold, LISTS))
_ADDRESS = frozenset({"url", "uri", "endpoint", "namespace"})
_TELLING = {fold(name) for name in (*CREDENTIAL_KEYS, "CredentialSource")} - {fold("Scopes"), fold("Domain")}
_KNOWN = (*CREDENTIAL_KEYS, *OPTION_KEYS, *STRUCTURE, *CORE_KEYWORDS)
_MISSPELT = 0.85


@dataclass(frozen=True)
class Finding:
    """Something about the settings.

    :param fatal: a program could not use the section; else advice.
    """

    section: str
    fatal: bool
    code: str
    message: str


def unresolved(settings: Settings) -> Settings:
    """Return the same settings, in which a reference to Key Vault stands for the secret that it leads to."""
    return settings.resolving(lambda reference, _: str(reference))


def check_settings(settings: Settings, clients: Mapping[str, type] | None = None) -> list[Finding]:
    """Return what is wrong: with the credentials of all sections, and with the *clients* of those named.

    :param clients: client classes by section.
    """
    findings: list[Finding] = []
    settings = unresolved(settings)
    sections = Sections(settings)
    asked: list[tuple[str, Callable[[], object]]] = [
        (DEFAULT_SECTIONS[0], sections.defaults),
        *((path, partial(_credential_of, settings, path)) for path in described_sections(settings)),
        *((path, partial(sections.plan, client, path)) for path, client in (clients or {}).items()),
    ]
    for path, ask in asked:
        try:
            ask()
        except AzcertError as error:
            finding = Finding(path, fatal=True, code=error.code, message=str(error))
            if finding not in findings:
                findings.append(finding)
    named = {fold(path) for path in clients or {}}
    for path in described_sections(settings):
        if fold(path) not in named:
            findings += _misspelt(settings.section(path))
    findings += [
        Finding(
            entry.key.rpartition(":")[0],
            fatal=False,
            code="secret-in-file",
            message=secret_in_file(entry),
        )
        for entry in settings
        if entry.origin.place is Place.FILE
        and isinstance(entry.text, str)
        and is_secret(entry.key, entry.text)
    ]
    return findings


def _credential_of(settings: Settings, path: str) -> object:
    return choose_credential(settings.section(path))


def _misspelt(section: Settings) -> list[Finding]:
    """Return advice on keys that only a client of an unusual kind would read."""
    known = {"".join(words(name)) for name in _KNOWN}
    findings = []
    for name in section.names():
        near = nearest(name, _KNOWN, likeness=_MISSPELT)
        entry = section.written(name)
        if near is None or entry is None or "".join(words(name)) in known:
            continue
        findings.append(
            Finding(
                section.path,
                fatal=False,
                code="unknown-setting",
                message=f"The setting {entry.key} ({entry.origin}) is read by no credential. Did you mean "
                f"{near}? If it is a parameter of the client, name that: --client {section.path}=CLASS.",
            )
        )
    return findings


def described_sections(settings: Settings) -> list[str]:
    """Return the sections, from files and code, that seem to describe a client or a credential."""
    found: list[str] = []
    for entry in settings:
        section, _, name = entry.key.rpartition(":")
        parts = section.split(":")
        if entry.origin.place is Place.ENVIRONMENT and ":" not in entry.key:
            continue
        telling = fold(name) in _TELLING or bool(words(name) and words(name)[-1] in _ADDRESS)
        if fold("Credential") in [fold(part) for part in parts]:
            parts = parts[: [fold(part) for part in parts].index(fold("Credential"))]
            telling = True
        lists = [depth for depth, part in enumerate(parts) if fold(part) in _LISTS]
        if lists:
            parts, telling = parts[: lists[0]], True
        path = ":".join(parts)
        if telling and path and fold(path) not in [fold(each) for each in found]:
            found.append(path)
    return found


def client_class(name: str) -> type:
    """Return the class ``package.module:Class``.

    :raises azcert.errors.ConfigurationError: there is none.
    """
    module, _, attribute = name.replace(":", ".").rpartition(".")
    try:
        found = getattr(import_module(module), attribute, None)
    except (ImportError, ValueError):
        found = None
    if not isinstance(found, type):
        raise ConfigurationError(
            f"There is no class {name}.",
            code="no-class",
            remedy="Write it as azure.keyvault.secrets.SecretClient; its package must be installed.",
        )
    return found
