"""A JSON Schema of the settings, for completion in editors; made from the tables that read them."""

from __future__ import annotations

from typing import Any

from azcert.config.credentials.certificates import CERTIFICATE_KEYS
from azcert.config.credentials.default_chain import EXCLUSIONS
from azcert.config.credentials.flat import FLAT_KEYS
from azcert.config.credentials.identity_web import ITEM_KEYS, LISTS, SOURCE_TYPES
from azcert.config.credentials.key_credentials import KEY_FORMS
from azcert.config.credentials.kinds import KINDS, SOURCE_NAMES, Type
from azcert.config.options import DIAGNOSTICS_KEYS, RETRY_ALIASES, RETRY_KEYS

__all__ = ["settings_schema"]

_SPAN = {
    "type": "string",
    "pattern": r"^([0-9]+[.:])?[0-9]{1,2}:[0-9]{1,2}(:[0-9]{1,2}(\.[0-9]{1,7})?)?$",
    "description": "A time span: [days.]hh:mm:ss",
}
_NUMBER = {"type": ["integer", "string"]}
_RETRY_VALUES = {"Mode": {"enum": ["Exponential", "Fixed"]}, "MaxRetries": _NUMBER}
_BOOLEAN = {"type": ["boolean", "string"]}
_TEXT = {"type": ["string", "null"]}
_TEXTS = {"type": ["array", "string"], "items": {"type": "string"}}
# Editors strike out what is deprecated.
_SECRET = {
    **_TEXT,
    "deprecated": True,
    "description": "A secret: better an environment variable, user secrets or a Key Vault reference.",
}
_BY_TYPE: dict[Type, dict[str, Any]] = {
    Type.TEXT: _TEXT,
    Type.SECRET: _SECRET,
    Type.BOOLEAN: _BOOLEAN,
    Type.SECONDS: _SPAN,
    Type.TEXTS: _TEXTS,
}
# Keys that only a section for azcert, or its .NET counterparts, has.
_TELLING = (
    "credential",
    "Credential",
    "clientSecret",
    "clientCertificate",
    "clientCertificatePath",
    "certificate",
    "vaultUri",
    "VaultUri",
    "serviceUri",
    "fullyQualifiedNamespace",
    *LISTS,
)
_CREDENTIAL = {"$ref": "#/$defs/credential"}
_SPANS = frozenset(
    {
        "Delay",
        "MaxDelay",
        "MaximumDelay",
        "NetworkTimeout",
        "TryTimeout",
        "Ttl",
        "PinnedTtl",
        "RefreshAhead",
        "Stale",
        "Patience",
    }
)


def settings_schema() -> dict[str, Any]:
    """Return the schema (JSON Schema 2020-12) of ``appsettings.json``.

    Sections may hold anything: what azcert reads is described, and checked where one of `_TELLING` is there.
    """
    section = {"$ref": "#/$defs/section"}
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "Settings of Azure clients and credentials, as azcert reads them",
        "type": "object",
        "additionalProperties": {
            "anyOf": [section, True],
            "if": {"type": "object", "anyOf": [{"required": [name]} for name in _TELLING]},
            "then": section,
        },
        "properties": {
            "Default": section,
            "AzureClients": {"type": "object", "additionalProperties": section},
        },
        "$defs": {
            "section": _section(),
            "credential": _credential(),
            "retry": _object(RETRY_KEYS, _RETRY_VALUES),
            "retryOptions": _object(
                (*RETRY_KEYS, *RETRY_ALIASES), {**_RETRY_VALUES, "MaximumRetries": _NUMBER}
            ),
            "diagnostics": _object(
                DIAGNOSTICS_KEYS,
                {name: _BOOLEAN for name in DIAGNOSTICS_KEYS if name.startswith("Is")}
                | {name: _TEXTS for name in DIAGNOSTICS_KEYS if name.endswith(("Names", "Parameters"))}
                | {"ApplicationId": {"type": "string", "maxLength": 24}, "LoggedContentSizeLimit": _NUMBER},
            ),
            "cache": _object(
                ("Ttl", "PinnedTtl", "RefreshAhead", "Stale", "Patience"),
                {"Enabled": _BOOLEAN, "Capacity": _NUMBER},
            ),
        },
    }


def _object(names: tuple[str, ...], special: dict[str, Any]) -> dict[str, Any]:
    properties: dict[str, Any] = {name: _SPAN if name in _SPANS else _TEXT for name in names}
    return {"type": "object", "properties": {**properties, **special}, "additionalProperties": False}


def _section() -> dict[str, Any]:
    flat = {name: _TEXT for name in FLAT_KEYS if name != "credential"}
    special = {
        "clientSecret": _SECRET,
        "clientCertificatePassword": _SECRET,
        "systemAccessToken": _SECRET,
        "sendCertificateChain": _BOOLEAN,
        "additionallyAllowedTenants": _TEXTS,
        "processTimeout": _SPAN,
    }
    options = {
        "Retry": {"$ref": "#/$defs/retry"},
        "RetryOptions": {"$ref": "#/$defs/retryOptions"},
        "Diagnostics": {"$ref": "#/$defs/diagnostics"},
    }
    items = {
        "type": "array",
        "items": {
            "type": "object",
            "properties": {
                **{name: {} for name in ITEM_KEYS},
                **dict.fromkeys(("ClientSecret", "CertificatePassword", "Base64EncodedValue"), _SECRET),
                "SourceType": {"type": ["string", "integer"], "examples": list(SOURCE_TYPES)},
            },
            "additionalProperties": False,
        },
    }
    return {
        "type": ["object", "string"],
        "properties": {
            **flat,
            **special,
            "credential": {"anyOf": [{"type": "string", "examples": sorted(SOURCE_NAMES)}, _CREDENTIAL]},
            "Credential": {"anyOf": [_CREDENTIAL, {"type": "string"}]},
            "Options": {"type": "object", "properties": options},
            **options,
            "Cache": {"anyOf": [{"$ref": "#/$defs/cache"}, {"type": "boolean"}]},
            **dict.fromkeys(LISTS, items),
        },
    }


def _credential() -> dict[str, Any]:
    properties: dict[str, Any] = {name: {} for name in (*FLAT_KEYS, *CERTIFICATE_KEYS)}
    for kind in KINDS.values():
        properties.update({name: _BY_TYPE[key.type] for name, key in kind.keys.items()})
    for _, form in KEY_FORMS:
        properties.update({name: _TEXT if keyword == "name" else _SECRET for name, keyword in form.items()})
    properties.update(dict.fromkeys(EXCLUSIONS, _BOOLEAN))
    properties["CredentialSource"] = {"type": "string", "examples": sorted(SOURCE_NAMES.values())}
    properties["ManagedIdentityIdKind"] = {"enum": ["SystemAssigned", "ClientId", "ResourceId", "ObjectId"]}
    properties["ManagedIdentityId"] = _TEXT
    properties["Sources"] = {"type": "array", "minItems": 1, "items": {"$ref": "#/$defs/credential"}}
    return {"type": "object", "properties": properties}
