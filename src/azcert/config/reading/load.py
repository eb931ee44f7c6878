"""From files, user secrets, environment and code to one `Settings`, in .NET's order of layers."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from azcert.config.reading.files import find_base_files, read_layer, user_secrets_path, variant
from azcert.config.reading.layers import code_layer, environment_layer, merge
from azcert.config.reading.origin import Place
from azcert.config.reading.settings import Settings
from azcert.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from azcert.config.reading.layers import Layer

__all__ = ["SettingsFrom", "environment_name", "load_settings"]

SettingsFrom: TypeAlias = "str | os.PathLike[str] | Mapping[str, Any] | Settings | None"

_ENVIRONMENT_VARIABLES = ("AZCERT_ENVIRONMENT", "DOTNET_ENVIRONMENT", "ASPNETCORE_ENVIRONMENT")
_DEFAULT_ENVIRONMENT = "Production"
_DEVELOPMENT = "development"
SETTINGS_VARIABLE = "AZCERT_SETTINGS"
USER_SECRETS_VARIABLE = "AZCERT_USER_SECRETS_ID"


def load_settings(
    source: SettingsFrom = None,
    *,
    environment: str | None = None,
    prefix: str = "",
    user_secrets: str | None = None,
    values: Mapping[str, Any] | None = None,
    environ: Mapping[str, str] | None = None,
) -> Settings:
    """Return the settings of all layers; later ones win.

    1. *source*: a file, or ``appsettings.json`` (``.toml``, ``.yaml``, ``.yml``) of the working directory
       where there is one; a mapping stands in its place, `Settings` are returned as they are.
    2. The same file for the environment: ``appsettings.Production.json``.
    3. User secrets, in Development: *user_secrets*, AZCERT_USER_SECRETS_ID or the setting ``UserSecretsId``.
    4. Environment variables, ``__`` for ``:``; with *prefix* only those that begin with it.
    5. *values*.

    :param environment: its name; AZCERT_ENVIRONMENT, DOTNET_ENVIRONMENT, ASPNETCORE_ENVIRONMENT or
        ``Production`` without it.
    :param environ: the environment variables, the process's own without it.
    :raises azcert.errors.ConfigurationError: a file named here is not there, or one cannot be read.
    """
    if isinstance(source, Settings):
        return source
    environ = os.environ if environ is None else environ
    name = environment_name(environ, environment)
    layers = _files(source, name, environ)
    if name.lower() == _DEVELOPMENT:
        identifier = user_secrets or environ.get(USER_SECRETS_VARIABLE) or _identifier(layers)
        if identifier:
            path = user_secrets_path(identifier, environ)
            layers.append(read_layer(path, place=Place.USER_SECRETS, rank=len(layers), optional=True))
    layers.append(environment_layer(environ, prefix=prefix, rank=len(layers)))
    if values is not None:
        layers.append(code_layer(values, rank=len(layers)))
    return Settings(merge(layers))


def environment_name(environ: Mapping[str, str], given: str | None = None) -> str:
    """Return the name of the environment: *given*, else what variables say, else ``Production``.

    :raises azcert.errors.ConfigurationError: it could not be part of a file's name.
    """
    variables = [environ[each] for each in _ENVIRONMENT_VARIABLES if environ.get(each)]
    name = given or next(iter(variables), _DEFAULT_ENVIRONMENT)
    if "/" in name or "\\" in name:
        raise ConfigurationError(
            f"The environment's name is {name!r}; it becomes part of a file's name and has no slashes.",
            code="wrong-environment",
            remedy=f"Set {_ENVIRONMENT_VARIABLES[0]} to a name such as Production or Development.",
        )
    return name


def _files(source: SettingsFrom, environment: str, environ: Mapping[str, str]) -> list[Layer]:
    if source is not None and not isinstance(source, str | os.PathLike | Settings):
        return [code_layer(source, rank=0)]
    named = source or environ.get(SETTINGS_VARIABLE)
    layers: list[Layer] = []
    for path in [Path(str(named))] if named else find_base_files(Path()):
        layers.append(read_layer(path, rank=len(layers)))
        layers.append(read_layer(variant(path, environment), rank=len(layers), optional=True))
    return layers


def _identifier(layers: list[Layer]) -> str | None:
    return Settings(merge(layers)).text("UserSecretsId")
