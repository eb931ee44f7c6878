"""The variables of a ``.env`` file: found, and one of them changed, with every other byte left as it is."""

from __future__ import annotations

import re
import shlex

from azcert._redact import REDACTED, Secret
from azcert.errors import ConfigurationError
from azcert.migration.model import Change, Identity, Line

__all__ = ["find", "rewrite"]

_SECRET = "AZURE_CLIENT_SECRET"  # noqa: S105 - the variable's name
_CERTIFICATE = "AZURE_CLIENT_CERTIFICATE_PATH"
_BESIDE = (_CERTIFICATE, "AZURE_CLIENT_CERTIFICATE_PASSWORD")
# NAME=value, perhaps exported, in quotes, or with a comment behind, as shells and dotenv read it.
_LINE = re.compile(
    r"""^[ \t]*(?:export[ \t]+)?(?P<name>[A-Za-z_]\w*)(?P<equals>[ \t]*=[ \t]*)"""
    r"""(?P<value>"(?:[^"\\\r\n]|\\.)*"|'[^'\r\n]*'|(?:(?![ \t]\#)[^\r\n])*?)"""
    r"""[ \t]*(?:[ \t]\#[^\r\n]*)?\r?$""",
    re.MULTILINE,
)


def find(text: str) -> list[Identity]:
    """Return the application the file names, as a list of one, or an empty one."""
    found = {match["name"]: _value(match["value"]) for match in _LINE.finditer(text)}
    secret = found.get(_SECRET)
    if not secret and not found.get(_CERTIFICATE):
        return []
    return [
        Identity(
            section="",
            tenant_id=found.get("AZURE_TENANT_ID"),
            client_id=found.get("AZURE_CLIENT_ID"),
            secret=Secret(secret) if secret else None,
            certificate=found.get(_CERTIFICATE),
        )
    ]


def rewrite(text: str, identity: Identity, source: str) -> Change:
    """Return the text with *source* in the place of the secret.

    :raises ConfigurationError: ``not-rewritable``: the secret is given twice, or a certificate beside it.
    """
    del identity
    lines = [match for match in _LINE.finditer(text) if match["name"] == _SECRET]
    if len(lines) != 1:
        raise ConfigurationError(
            f"{_SECRET} is given {len(lines)} times in one file.",
            code="not-rewritable",
            remedy="Leave the one that counts, the last, and run it again.",
        )
    for match in _LINE.finditer(text):
        if match["name"] in _BESIDE and _value(match["value"]):
            raise ConfigurationError(
                f"{match['name']} stands beside {_SECRET}, which goes before it.",
                code="not-rewritable",
                remedy=f"Remove the one of them that is not used: {_SECRET} where that certificate signs in "
                "(azcert sign-test, azcert token).",
            )
    match = lines[0]
    new = f"{_CERTIFICATE}{match['equals']}{shlex.quote(source)}"
    begin, end = match.start("name"), match.end("value")
    number = text.count("\n", 0, begin) + 1
    line = Line(number, f"{_SECRET}{match['equals']}{REDACTED}", new)
    return Change(text[:begin] + new + text[end:], (line,))


def _value(text: str) -> str:
    if text[:1] == text[-1:] == "'" and len(text) > 1:
        return text[1:-1]
    if text[:1] == text[-1:] == '"' and len(text) > 1:
        return re.sub(r"\\(.)", r"\1", text[1:-1])
    return text
