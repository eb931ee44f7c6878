"""What the emulator knows without a seed file: a tenant, an app, and a vault with one secret.

The ids are those of the examples in Microsoft's documentation, so that nobody takes them for real ones.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

__all__ = [
    "CLIENT_ID",
    "DOMAIN",
    "SECRET",
    "SECRET_VALUE",
    "TENANT_ID",
    "VAULT",
    "client_pem",
    "ready_made",
]

TENANT_ID = "aaaabbbb-0000-cccc-1111-dddd2222eeee"
DOMAIN = "contoso.onmicrosoft.com"
CLIENT_ID = "00001111-aaaa-2222-bbbb-3333cccc4444"
OBJECT_ID = "aaaaaaaa-0000-1111-2222-bbbbbbbbbbbb"
SERVICE_PRINCIPAL_ID = "aaaaaaaa-bbbb-cccc-1111-222222222222"
APP = "azcert-demo"
VAULT = "kv-demo"
SECRET = "myTestSecret1"  # noqa: S105 - a name
SECRET_VALUE = "the first secret of kv-demo"  # noqa: S105 - made up, and printed by the tour

_LIFETIME = dt.timedelta(days=365)


def ready_made() -> dict[str, Any]:
    """Return it in the form of a seed file."""
    app = {
        "name": APP,
        "clientId": CLIENT_ID,
        "objectId": OBJECT_ID,
        "servicePrincipalId": SERVICE_PRINCIPAL_ID,
        "graphPermissions": ["Application.ReadWrite.All"],
    }
    vault = {
        "name": VAULT,
        "secrets": {SECRET: SECRET_VALUE},
        "roles": {APP: ["Key Vault Secrets Officer", "Key Vault Data Access Administrator"]},
    }
    return {"tenants": [{"id": TENANT_ID, "domains": [DOMAIN], "apps": [app], "vaults": [vault]}]}


def client_pem(name: str) -> bytes:
    """Return a fresh private key with its self-signed certificate, for an app of this name."""
    key = rsa.generate_private_key(65537, 2048)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(minutes=5))
        .not_valid_after(now + _LIFETIME)
        .add_extension(x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CLIENT_AUTH]), critical=False)
        .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), critical=False)
        .sign(key, SHA256())
    )
    private = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    return private + certificate.public_bytes(Encoding.PEM)
