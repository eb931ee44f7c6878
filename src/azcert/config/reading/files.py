"""Which files are read, and reading one: JSON, TOML or YAML by its suffix, text by its byte order mark."""

from __future__ import annotations

import codecs
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING

from azcert.config.reading.json_reader import MalformedError, Node, read_json
from azcert.config.reading.layers import Layer, file_layer
from azcert.config.reading.origin import Place
from azcert.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["BASE_NAMES", "find_base_files", "read_layer", "user_secrets_path", "variant"]

BASE_NAMES = ("appsettings.json", "appsettings.toml", "appsettings.yaml", "appsettings.yml")
"""The files looked for in the working directory, in the order of their layers."""

MAX_SIZE = 16 * 1024 * 1024
_MARKS = (  # UTF-32's little-endian mark begins with UTF-16's: it comes first
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_SECRETS_ID = re.compile(r"[\w.\- ]+")


def find_base_files(folder: Path) -> list[Path]:
    """Return the settings files that *folder* has."""
    return [folder / name for name in BASE_NAMES if (folder / name).is_file()]


def variant(path: Path, environment: str) -> Path:
    """Return ``appsettings.Production.json`` for ``appsettings.json``."""
    return path.with_name(f"{path.stem}.{environment}{path.suffix}")


def user_secrets_path(identifier: str, environ: Mapping[str, str]) -> Path:
    """Return where ``dotnet user-secrets`` keeps the values of that id, outside every repository.

    Source: dotnet/runtime, ``PathHelper.GetSecretsPathFromSecretsId``.

    :raises azcert.errors.ConfigurationError: the id is no file name, or there is no home directory.
    """
    if not _SECRETS_ID.fullmatch(identifier) or identifier.strip(". ") == "":
        raise ConfigurationError(
            f"The user secrets id {identifier!r} is not a name.",
            code="wrong-user-secrets-id",
            remedy="It is the text in <UserSecretsId> of a .NET project, or any name of letters and digits.",
        )
    roaming = environ.get("APPDATA")
    if roaming:
        return Path(roaming, "Microsoft", "UserSecrets", identifier, "secrets.json")
    home = environ.get("HOME") or environ.get("DOTNET_USER_SECRETS_FALLBACK_DIR")
    if not home:
        raise ConfigurationError(
            "User secrets cannot be found: neither HOME nor DOTNET_USER_SECRETS_FALLBACK_DIR is set.",
            code="no-home",
            remedy="Set HOME.",
        )
    return Path(home, ".microsoft", "usersecrets", identifier, "secrets.json")


def read_layer(path: Path, *, place: Place = Place.FILE, rank: int, optional: bool = False) -> Layer:
    """Return the entries of a settings file, nothing if it is *optional* and not there.

    :raises azcert.errors.ConfigurationError: it cannot be read, or is malformed; ``details`` has ``path`` and
        ``line``.
    """
    data = _read(path, optional=optional)
    if data is None:
        return {}
    try:
        return file_layer(_parse(path, _decode(data)), place=place, name=str(path), rank=rank)
    except MalformedError as error:
        where = str(path)
        if error.line is not None:
            where += f", line {error.line}"
        if error.column is not None:
            where += f", column {error.column}"
        raise ConfigurationError(
            f"The settings in {where} cannot be read: {_lower(error.message)}",
            code="malformed-settings",
            remedy="Mend the file; `azcert config check` tells when it is well.",
            path=str(path),
            line=error.line,
        ) from None


def _read(path: Path, *, optional: bool) -> bytes | None:
    if "\0" in str(path):
        raise _unreadable(path, "its name is not valid")
    # Only regular files: a device or a pipe may never end.
    if path.exists() and not path.is_file():
        raise _unreadable(path, "it is not a file")
    try:
        with path.open("rb") as stream:
            data = stream.read(MAX_SIZE + 1)
    except FileNotFoundError:
        if optional:
            return None
        raise ConfigurationError(
            f"There is no settings file {path}.",
            code="settings-not-found",
            remedy="Check the path; without one, appsettings.json of the working directory is read.",
            path=str(path),
        ) from None
    except PermissionError as error:
        raise _unreadable(path, "this user may not read it") from error
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from error
    if len(data) > MAX_SIZE:
        raise _unreadable(path, f"it is larger than {MAX_SIZE >> 20} MiB")
    return data


def _unreadable(path: Path, reason: str) -> ConfigurationError:
    return ConfigurationError(
        f"The settings file {os.fspath(path)!r} cannot be read: {reason}.",
        code="settings-unreadable",
        remedy="Check the path and the file's permissions.",
        path=str(path),
    )


def _decode(data: bytes) -> str:
    mark, encoding = next((each for each in _MARKS if data.startswith(each[0])), (b"", "utf-8"))
    try:
        return data[len(mark) :].decode(encoding)
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, len(mark) + error.start) + 1
        raise MalformedError(f"A byte here is not {encoding.upper()} text.", line) from None


def _parse(path: Path, text: str) -> Node:
    suffix = path.suffix.lower()
    if suffix == ".toml":
        from azcert.config.reading.toml_reader import read_toml  # only the reader in use is imported

        return read_toml(text)
    if suffix in {".yaml", ".yml"}:
        from azcert.config.reading.yaml_reader import read_yaml  # PyYAML is slow to import

        return read_yaml(text)
    return read_json(text)


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
