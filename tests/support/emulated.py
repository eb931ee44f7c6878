"""The emulator's services in-process: one world, every host, no sockets."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
import json
import uuid
from functools import cache
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from starlette.applications import Starlette
from starlette.testclient import TestClient

from azcert.emulator.entra import routes as entra
from azcert.emulator.entra import tokens
from azcert.emulator.keyvault import routes as keyvault
from azcert.emulator.world import World

if TYPE_CHECKING:
    from httpx2 import Response

TENANT = "11112222-bbbb-3333-cccc-4444dddd5555"
DOMAIN = "fabrikam.onmicrosoft.com"
CLIENT = "22223333-cccc-4444-dddd-5555eeee6666"
PRINCIPAL = "bbbbbbbb-1111-2222-3333-cccccccccccc"
SECRET = "hush-hush"
LOGIN = "login.microsoftonline.com"
VAULT = "kv-test"
ASSERTION_TYPE = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


@cache
def rsa_key(number: int = 0, bits: int = 2048) -> rsa.RSAPrivateKey:
    """Return the same key for the same number: making one takes long."""
    return rsa.generate_private_key(65537, bits)


def certificate(
    key: rsa.RSAPrivateKey,
    name: str = "app",
    start: dt.datetime | None = None,
    days: float = 30,
    issuer: tuple[x509.Certificate, rsa.RSAPrivateKey] | None = None,
    *,
    ca: bool = False,
) -> x509.Certificate:
    """Return a certificate for *key*, self-signed where there is no issuer."""
    start = start or dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer[0].subject if issuer else subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(start)
        .not_valid_after(start + dt.timedelta(days=days))
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .sign(issuer[1] if issuer else key, hashes.SHA256())
    )


def key_credential(given: x509.Certificate, **more: Any) -> dict[str, Any]:
    """Return Graph's keyCredential for a certificate."""
    der = given.public_bytes(Encoding.DER)
    return {
        "key": base64.b64encode(der).decode(),
        "customKeyIdentifier": hashlib.sha1(der, usedforsecurity=False).hexdigest().upper(),
        "startDateTime": given.not_valid_before_utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "endDateTime": given.not_valid_after_utc.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "keyId": str(uuid.uuid4()),
        "type": "AsymmetricX509Cert",
        "usage": "Verify",
        **more,
    }


def b64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def thumbprint(given: x509.Certificate, name: str = "x5t#S256") -> str:
    der = given.public_bytes(Encoding.DER)
    return b64(hashlib.new("sha256" if name == "x5t#S256" else "sha1", der).digest())


def sign(key: rsa.RSAPrivateKey, header: dict[str, Any], claims: Any, *, salt: int | None = None) -> str:
    """Return a compact JWS signed as the header's alg says."""
    signed = f"{b64(json.dumps(header).encode())}.{b64(json.dumps(claims).encode())}"
    algorithm = str(header.get("alg"))
    digest: hashes.HashAlgorithm = {"384": hashes.SHA384(), "512": hashes.SHA512()}.get(
        algorithm[2:], hashes.SHA256()
    )
    scheme: padding.AsymmetricPadding = padding.PKCS1v15()
    if algorithm.startswith("PS"):
        scheme = padding.PSS(padding.MGF1(digest), digest.digest_size if salt is None else salt)
    return f"{signed}.{b64(key.sign(signed.encode(), scheme, digest))}"


@cache
def signing_key() -> Any:
    """Return what a world keeps as its signing key: one for all worlds, since making it takes long."""
    world = World()
    tokens.signing_key(world)
    return world.documents.get("signing-key", "entra")


class Emulated:
    """A world with one tenant, one app with a certificate and a secret, and one vault; and its services."""

    def __init__(
        self, role: str = "Key Vault Administrator", retention: int = 90, tenant: str = TENANT
    ) -> None:
        self.world = World()
        self.tenant = tenant
        self.key = rsa_key()
        self.certificate = certificate(self.key)
        put = self.world.documents.put
        put("signing-key", "entra", signing_key())
        put("tenant", tenant.lower(), {"id": tenant, "domains": [DOMAIN]})
        self.app = {
            "id": "aaaaaaaa-9999-0000-1111-bbbbbbbbbbbb",
            "appId": CLIENT,
            "displayName": "test app",
            "tenant": tenant,
            "servicePrincipalId": PRINCIPAL,
            "keyCredentials": [key_credential(self.certificate)],
            "passwordCredentials": [{"secretText": SECRET, "keyId": str(uuid.uuid4())}],
        }
        self.save_app()
        put("vault", VAULT, {"name": VAULT, "tenant": tenant, "suffix": "vault.azure.net"})
        self.retain(retention)
        self.grant(role)
        self._services = {
            "entra": Starlette(routes=entra.routes(self.world)),
            "vault": Starlette(routes=keyvault.routes(self.world)),
        }
        self._tokens: dict[str, str] = {}

    def save_app(self, **changes: Any) -> None:
        self.app |= changes
        self.world.documents.put("app", CLIENT, self.app)

    def retain(self, days: int) -> None:
        vault = self.world.documents.get("vault", VAULT)
        self.world.documents.put("vault", VAULT, {**(vault or {}), "retentionDays": days})

    def grant(self, *roles: str) -> None:
        self.world.documents.put("role", f"{VAULT}/{PRINCIPAL}", list(roles))

    def send(self, method: str, host: str, path: str, **options: Any) -> Response:
        """Send a request to a host, without a cookie jar."""
        service = "vault" if ".vault." in host else "entra"
        client = TestClient(self._services[service], base_url=f"https://{host}")
        return client.request(method, path, **options)

    def assertion(self, header: dict[str, Any] | None = None, **claims: Any) -> str:
        """Return a good assertion, with changes."""
        now = self.world.clock.now()
        full = {
            "aud": f"https://{LOGIN}/{self.tenant}/oauth2/v2.0/token",
            "iss": CLIENT,
            "sub": CLIENT,
            "jti": str(uuid.uuid4()),
            "nbf": int(now),
            "iat": int(now),
            "exp": int(now) + 600,
            **claims,
        }
        kept = {name: value for name, value in full.items() if value is not None}
        head = {"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint(self.certificate)}
        return sign(self.key, head if header is None else header, kept)

    def token_request(
        self, *, host: str = LOGIN, tenant: str = "", v1: bool = False, **form: Any
    ) -> Response:
        """Ask for a token; a form field of None is left out."""
        full = {
            "client_id": CLIENT,
            "grant_type": "client_credentials",
            "scope": "https://vault.azure.net/.default",
            "client_assertion_type": ASSERTION_TYPE,
            **form,
        }
        if "client_assertion" not in full and "client_secret" not in full:
            full["client_assertion"] = self.assertion()
        sent = {name: value for name, value in full.items() if value is not None}
        path = f"/{tenant or self.tenant}/oauth2/" + ("token" if v1 else "v2.0/token")
        return self.send("POST", host, path, data=sent)

    def token(self, scope: str = "https://vault.azure.net/.default") -> str:
        """Return an access token, one per scope and clock setting."""
        key = f"{scope} {self.world.clock.offset}"
        if key not in self._tokens:
            answer = self.token_request(scope=scope, client_secret=SECRET)
            self._tokens[key] = answer.json()["access_token"]
        return self._tokens[key]

    def vault(self, method: str, path: str, body: Any = None, **options: Any) -> Response:
        """Call the vault with a token, newest api-version unless the path says another."""
        if "api-version=" not in path:
            path += ("&" if "?" in path else "?") + "api-version=2025-07-01"
        headers = {"Authorization": f"Bearer {self.token()}"}
        if body is not None:
            options["json"] = body
        return self.send(method, f"{VAULT}.vault.azure.net", path, headers=headers, **options)
