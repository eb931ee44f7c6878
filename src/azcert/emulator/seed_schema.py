"""The JSON Schema of a seed file."""

from __future__ import annotations

from typing import Any

__all__ = ["GRAPH_PERMISSIONS", "SCHEMA"]

_GUID = {"type": "string", "pattern": "^[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}$"}

_CERTIFICATE = {
    "description": "Path of a certificate in any form (relative to the seed file), or its PEM itself.",
    "oneOf": [
        {"type": "string", "minLength": 1},
        {
            "type": "object",
            "additionalProperties": False,
            "minProperties": 1,
            "properties": {
                "file": {"type": "string", "minLength": 1, "description": "Path, relative to the seed file."},
                "pem": {"type": "string", "pattern": "-----BEGIN", "description": "The PEM itself."},
                "displayName": {"type": "string"},
            },
        },
    ],
}

_CLIENT_SECRET = {
    "description": "A client secret.",
    "oneOf": [
        {"type": "string", "minLength": 1},
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["text"],
            "properties": {
                "text": {"type": "string", "minLength": 1},
                "displayName": {"type": "string"},
                "expires": {"type": "string", "description": "ISO 8601, e.g. 2030-01-31T00:00:00Z."},
            },
        },
    ],
}

_TRUSTED_SUBJECT = {
    "description": "Trust in any certificate of this name (subject name and issuer, SN/I).",
    "type": "object",
    "additionalProperties": False,
    "required": ["subjectName"],
    "properties": {
        "subjectName": {"type": "string", "minLength": 1},
        "authorityCertificates": {
            "type": "array",
            "items": _CERTIFICATE,
            "description": "Certificates of the CA that must have signed it; any CA without them.",
        },
        "revokedCertificateIdentifiers": {
            "type": "array",
            "items": {"type": "string"},
            "description": "SHA-1 thumbprints no longer trusted.",
        },
    },
}

GRAPH_PERMISSIONS = [
    "Application.Read.All",
    "Application.ReadWrite.OwnedBy",
    "Application.ReadWrite.All",
    "Directory.Read.All",
    "Directory.ReadWrite.All",
    "AuditLog.Read.All",
]

_APP = {
    "description": "An app registration. With no certificate, secret or trust it gets a fresh certificate.",
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "minLength": 1},
        "clientId": {**_GUID, "description": "Made from tenant and name where absent."},
        "objectId": _GUID,
        "servicePrincipalId": _GUID,
        "certificates": {"type": "array", "items": _CERTIFICATE},
        "secrets": {"type": "array", "items": _CLIENT_SECRET},
        "graphPermissions": {
            "type": "array",
            "items": {"enum": GRAPH_PERMISSIONS},
            "description": "Application permissions at Microsoft Graph, consented to.",
        },
        "trustedSubjects": {"type": "array", "items": _TRUSTED_SUBJECT},
    },
}

_VAULT_SECRET = {
    "description": "The value, or the value with what stands beside it.",
    "oneOf": [
        {"type": "string"},
        {
            "type": "object",
            "additionalProperties": False,
            "required": ["value"],
            "properties": {
                "value": {"type": "string"},
                "contentType": {"type": "string"},
                "tags": {"type": "object", "additionalProperties": {"type": "string"}},
                "enabled": {"type": "boolean"},
            },
        },
    ],
}

_VAULT = {
    "description": "A key vault with Azure RBAC.",
    "type": "object",
    "additionalProperties": False,
    "required": ["name"],
    "properties": {
        "name": {"type": "string", "pattern": "^[A-Za-z](-?[A-Za-z0-9]){2,23}$"},
        "suffix": {
            "enum": ["vault.azure.net", "vault.usgovcloudapi.net", "vault.azure.cn"],
            "description": "Which cloud it is in; vault.azure.net where absent.",
        },
        "retentionDays": {"type": "integer", "minimum": 7, "maximum": 90},
        "secrets": {
            "type": "object",
            "propertyNames": {"pattern": "^[0-9a-zA-Z-]{1,127}$"},
            "additionalProperties": _VAULT_SECRET,
        },
        "roles": {
            "type": "object",
            "description": "Name of an app -> names of Azure's built-in Key Vault roles.",
            "additionalProperties": {"type": "array", "items": {"type": "string"}},
        },
    },
}

SCHEMA: dict[str, Any] = {
    "$schema": "https://json-schema.org/draft/2020-12/schema",
    "title": "Seed of the azcert emulator",
    "type": "object",
    "additionalProperties": False,
    "required": ["tenants"],
    "properties": {
        "tenants": {
            "type": "array",
            "minItems": 1,
            "items": {
                "type": "object",
                "additionalProperties": False,
                "properties": {
                    "id": {**_GUID, "description": "The ready-made tenant's id where absent."},
                    "domains": {"type": "array", "items": {"type": "string", "minLength": 1}},
                    "apps": {"type": "array", "items": _APP},
                    "vaults": {"type": "array", "items": _VAULT},
                },
            },
        }
    },
}
"""Draft 2020-12. ``azcert emulator seed-schema`` prints it."""
