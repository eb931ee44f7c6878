"""From a seed to the emulator's state: tenants, apps with credentials, vaults with secrets and roles."""

from __future__ import annotations

import base64
import datetime as dt
import json
import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.serialization import Encoding

from azcert.certificate.chain import leaf_without_key, pair
from azcert.certificate.formats import load
from azcert.certificate.model import Certificate
from azcert.emulator.arm.definitions import MANAGING_ROLES
from azcert.emulator.entra.resources import GRAPH
from azcert.emulator.keyvault import secrets
from azcert.emulator.keyvault.call import Call
from azcert.emulator.keyvault.faults import VaultRefusal
from azcert.emulator.keyvault.roles import ROLES
from azcert.emulator.keyvault.vaults import find_vault
from azcert.emulator.ready_made import TENANT_ID, client_pem
from azcert.emulator.seed_schema import SCHEMA
from azcert.errors import AzcertError, ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

    from cryptography import x509

    from azcert._redact import Secret
    from azcert.emulator.world import World

__all__ = ["Identity", "check", "plant", "read_seed", "register"]

_CREDENTIAL_LIFETIME = dt.timedelta(days=180)  # Graph's addPassword gives two years, the portal six months


@dataclass(frozen=True)
class Identity:
    """Who a client of the emulator is: the first app of the seed.

    :param certificate: path of its certificate file with key, where the seed names one.
    :param pem: its fresh private key and certificate, where the seed names none.
    :param vault_url: of the first vault.
    """

    tenant_id: str
    client_id: str
    certificate: Path | None
    pem: bytes | None = field(repr=False)
    vault: str | None
    vault_url: str | None


def read_seed(path: Path) -> dict[str, Any]:
    """Return a seed file's content, checked.

    :raises ConfigurationError: ``seed-unreadable``, or ``seed-invalid`` with the place in the file.
    """
    import yaml  # most emulators start without a seed file

    try:
        text = path.read_text(encoding="utf-8")
        # JSON is YAML too, but YAML's messages about broken JSON mislead.
        seed = json.loads(text) if path.suffix.lower() == ".json" else yaml.safe_load(text)
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise ConfigurationError(
            f"The seed file {path} cannot be read: {error}",
            code="seed-unreadable",
            remedy="It must be JSON or YAML in UTF-8.",
            path=str(path),
        ) from error
    check(seed, str(path))
    return dict(seed)


def check(seed: Any, name: str) -> None:
    """Check a seed against the schema and itself.

    :raises ConfigurationError: ``seed-invalid``.
    """
    from jsonschema import Draft202012Validator  # as above
    from jsonschema.exceptions import best_match

    found = best_match(Draft202012Validator(SCHEMA).iter_errors(seed))
    if found is not None:
        expected = found.schema.get("description", "") if isinstance(found.schema, dict) else ""
        raise _invalid(name, found.absolute_path, f"{found.message}. {expected}".rstrip())
    for number, tenant in enumerate(seed["tenants"]):
        names = [app["name"] for app in tenant.get("apps", ())]
        for place, vault in enumerate(tenant.get("vaults", ())):
            for app, roles in vault.get("roles", {}).items():
                where = ["tenants", number, "vaults", place, "roles", app]
                if app not in names:
                    raise _invalid(name, where, f"no app of this tenant has that name; there are {names}")
                known = {*ROLES, *MANAGING_ROLES}
                for role in set(roles) - known:
                    raise _invalid(name, where, f"unknown role {role!r}; known are {sorted(known)}")


def plant(world: World, seed: dict[str, Any], folder: Path, *, fresh: bool = True) -> Identity:
    """Put what *seed* says into *world*, whole or not at all; return the first app's identity.

    :param folder: what relative paths in the seed start from.
    :param fresh: make a certificate for an app that has no credential.
    :raises ConfigurationError: a certificate that the seed names cannot be read.
    """
    with world.documents.transaction():
        identities = [
            _Tenant(world, str(tenant.get("id", TENANT_ID)).lower(), folder, fresh=fresh).plant(tenant)
            for tenant in seed["tenants"]
        ]
    return next((found for found in identities if found.client_id), identities[0])


def register(world: World, client_id: str, path: Path, password: Secret | None = None) -> None:
    """Register the certificate in *path*, in any form, on an app; nothing happens where it is already.

    :raises ConfigurationError: there is no such app.
    :raises AzcertError: the file is no certificate; ``code`` says why.
    """
    with world.documents.transaction():
        app = world.documents.get("app", client_id.lower())
        if app is None:
            raise ConfigurationError(
                f"{path} cannot be registered: the seed has no app.",
                code="seed-invalid",
                remedy="Give the first tenant of the seed an app.",
            )
        loaded = load(path.read_bytes(), password=password, name=str(path))
        if loaded.keys:
            leaf = pair(loaded, name=str(path), now=dt.datetime.now(dt.UTC)).certificate.leaf
        else:
            leaf = leaf_without_key(loaded.certificates, name=str(path))
        added = _key_credential(leaf)
        if added["key"] not in {key["key"] for key in app["keyCredentials"]}:
            app["keyCredentials"].append(added)
            world.documents.put("app", client_id.lower(), app)


class _Tenant:
    """Plants one tenant."""

    def __init__(self, world: World, tenant_id: str, folder: Path, *, fresh: bool) -> None:
        self._world = world
        self._fresh = fresh
        self._id = tenant_id
        self._folder = folder
        self._now = dt.datetime.fromtimestamp(world.clock.now(), dt.UTC)

    def plant(self, tenant: dict[str, Any]) -> Identity:
        domains = tenant.get("domains", [f"{self._id[:8]}.onmicrosoft.com"])
        self._world.documents.put("tenant", self._id, {"id": self._id, "domains": domains})
        principals: dict[str, str] = {}
        first: tuple[str, Path | None, bytes | None] = ("", None, None)
        for app in tenant.get("apps", ()):
            found = self._app(app, principals)
            first = first if first[0] else found
        for vault in tenant.get("vaults", ()):
            self._vault(vault, principals)
        vaults = [(vault["name"].lower(), _suffix(vault)) for vault in tenant.get("vaults", ())]
        name, suffix = vaults[0] if vaults else (None, None)
        return Identity(self._id, *first, name, f"https://{name}.{suffix}" if name else None)

    def _app(self, app: dict[str, Any], principals: dict[str, str]) -> tuple[str, Path | None, bytes | None]:
        name = app["name"]
        client_id = str(app.get("clientId", _derived(self._id, "client", name))).lower()
        principals[name] = str(app.get("servicePrincipalId", _derived(self._id, "principal", name))).lower()
        entries = app.get("certificates", [])
        keys = [
            _key_credential(
                _leaf(*_text_of(entry, self._folder)),
                entry.get("displayName") if isinstance(entry, dict) else None,
            )
            for entry in entries
        ]
        file = next((path for path in (_private(entry, self._folder) for entry in entries) if path), None)
        pem = None
        if self._fresh and not (entries or app.get("secrets") or app.get("trustedSubjects")):
            pem = client_pem(name)
            keys = [_key_credential(_leaf(name, pem))]
        self._world.documents.put(
            "app",
            client_id,
            {
                "id": str(app.get("objectId", _derived(self._id, "object", name))).lower(),
                "appId": client_id,
                "displayName": name,
                "createdDateTime": _graph_time(self._now),
                "signInAudience": "AzureADMyOrg",
                "keyCredentials": keys,
                "passwordCredentials": [self._password(entry) for entry in app.get("secrets", ())],
                "tenant": self._id,
                "servicePrincipalId": principals[name],
                "grantedRoles": {GRAPH: app.get("graphPermissions", [])},
                **self._trust(app.get("trustedSubjects", ())),
            },
        )
        return client_id, file, pem

    def _password(self, entry: str | dict[str, Any]) -> dict[str, Any]:
        secret = {"text": entry} if isinstance(entry, str) else entry
        return {
            "customKeyIdentifier": None,
            "displayName": secret.get("displayName"),
            "endDateTime": secret.get("expires", _graph_time(self._now + _CREDENTIAL_LIFETIME)),
            "hint": secret["text"][:3],
            "keyId": str(uuid.uuid4()),
            "secretText": secret["text"],
            "startDateTime": _graph_time(self._now),
        }

    def _trust(self, subjects: list[dict[str, Any]]) -> dict[str, Any]:
        if not subjects:
            return {}
        return {
            "trustedCertificateSubjects": [
                {
                    "authorityId": str(uuid.uuid4()),
                    "subjectName": subject["subjectName"],
                    "revokedCertificateIdentifiers": subject.get("revokedCertificateIdentifiers", []),
                    "authorityCertificates": [
                        _base64(_leaf(*_text_of(entry, self._folder)))
                        for entry in subject.get("authorityCertificates", ())
                    ],
                }
                for subject in subjects
            ]
        }

    def _vault(self, vault: dict[str, Any], principals: dict[str, str]) -> None:
        name = vault["name"].lower()
        kept = {
            "name": name,
            "tenant": self._id,
            "suffix": _suffix(vault),
            "retentionDays": vault.get("retentionDays", 90),
        }
        self._world.documents.put("vault", name, kept)
        for app, roles in vault.get("roles", {}).items():
            self._world.documents.put("role", f"{name}/{principals[app]}", roles)
        for secret, value in vault.get("secrets", {}).items():
            fields = {"value": value} if isinstance(value, str) else dict(value)
            if "enabled" in fields:
                fields["attributes"] = {"enabled": fields.pop("enabled")}
            _set_secret(self._world, f"{name}.{kept['suffix']}", secret, fields)


def _set_secret(world: World, host: str, name: str, body: dict[str, Any]) -> None:
    """Set a secret as the service itself does, with its checks."""
    (put,) = (
        found for found in secrets.OPERATIONS if (found.method, found.path) == ("PUT", "secrets/{name}")
    )
    try:
        put.run(Call(world, find_vault(world, host), {}, json.dumps(body).encode(), "7.6", "443"), name, "")
    except VaultRefusal as refusal:
        raise ConfigurationError(
            f"The seed's secret {name} of {host} cannot be set: {refusal}.",
            code="seed-invalid",
            remedy="Key Vault would refuse it too.",
        ) from refusal


def _text_of(entry: str | dict[str, Any], folder: Path) -> tuple[str, bytes]:
    """Return how a certificate entry is called in messages, and its bytes."""
    text = entry if isinstance(entry, str) else entry.get("pem") or entry.get("file", "")
    if "-----BEGIN" in text:
        return "a certificate in the seed", text.encode()
    path = folder / text
    try:
        return str(path), path.read_bytes()
    except OSError as error:
        raise ConfigurationError(
            f"The seed names the certificate {path}, which cannot be read: {error.strerror}.",
            code="seed-invalid",
            remedy="Give a path relative to the seed file, or the PEM itself.",
            path=str(path),
        ) from error


def _private(entry: str | dict[str, Any], folder: Path) -> Path | None:
    """Return the path of a certificate entry that holds its private key as well."""
    text = entry if isinstance(entry, str) else entry.get("file", "")
    if not text or "-----BEGIN" in text:
        return None
    path = folder / text
    return path.resolve() if load(path.read_bytes(), name=str(path)).keys else None


def _leaf(name: str, data: bytes) -> x509.Certificate:
    try:
        return leaf_without_key(load(data, name=name).certificates, name=name)
    except AzcertError as error:
        raise ConfigurationError(error.message, code=error.code, remedy=error.remedy) from error


def _key_credential(leaf: x509.Certificate, display: str | None = None) -> dict[str, Any]:
    return {
        "customKeyIdentifier": Certificate(leaf).thumbprint,
        "displayName": display or leaf.subject.rfc4514_string(),
        "endDateTime": _graph_time(leaf.not_valid_after_utc),
        "key": _base64(leaf),
        "keyId": str(uuid.uuid4()),
        "startDateTime": _graph_time(leaf.not_valid_before_utc),
        "type": "AsymmetricX509Cert",
        "usage": "Verify",
    }


def _base64(certificate: x509.Certificate) -> str:
    return base64.b64encode(certificate.public_bytes(Encoding.DER)).decode()


def _suffix(vault: dict[str, Any]) -> str:
    return str(vault.get("suffix", "vault.azure.net"))


def _derived(tenant: str, what: str, name: str) -> str:
    """Return an id that is the same at every start."""
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"azcert:{tenant}:{what}:{name}"))


def _graph_time(moment: dt.datetime) -> str:
    return moment.astimezone(dt.UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _invalid(name: str, where: Any, reason: str) -> ConfigurationError:
    path = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in where).lstrip(".")
    return ConfigurationError(
        f"The seed {name} is wrong at {path or 'its top'}: {reason}.".replace("..", "."),
        code="seed-invalid",
        remedy="docs/emulator.md describes it; azcert emulator seed-schema prints the JSON Schema.",
        place=path,
    )
