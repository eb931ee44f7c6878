"""The emulator's Graph in-process, with a caller whose permissions a test chooses."""

from __future__ import annotations

import base64
import json
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import jwt
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding, load_pem_private_key
from starlette.applications import Starlette
from starlette.testclient import TestClient

from azcert.emulator.arm.routes import routes as arm_routes
from azcert.emulator.entra import tokens
from azcert.emulator.entra.clouds import CLOUDS
from azcert.emulator.entra.resources import find_resource
from azcert.emulator.graph.routes import routes as graph_routes
from azcert.emulator.ready_made import CLIENT_ID, TENANT_ID, client_pem, ready_made
from azcert.emulator.seed import plant
from azcert.emulator.world import World

if TYPE_CHECKING:
    from httpx2 import Response

PEM = client_pem("graph test")
OTHER_PEM = client_pem("another")


def certificate(pem: bytes) -> x509.Certificate:
    return x509.load_pem_x509_certificate(pem)


def key(pem: bytes) -> str:
    """Return a certificate as Graph's ``key``."""
    return base64.b64encode(certificate(pem).public_bytes(Encoding.DER)).decode()


def thumbprint(pem: bytes) -> str:
    return certificate(pem).fingerprint(hashes.SHA1()).hex().upper()  # noqa: S303 - the portal's thumbprint


def proof(pem: bytes, object_id: str, now: float, **changes: Any) -> str:
    """Return a proof of possession, with its claims changed."""
    x5t = base64.urlsafe_b64encode(certificate(pem).fingerprint(hashes.SHA1())).rstrip(b"=")  # noqa: S303
    claims = {
        "aud": "00000002-0000-0000-c000-000000000000",
        "iss": object_id,
        "nbf": int(now),
        "exp": int(now) + 600,
    }
    private = load_pem_private_key(pem, None)
    return jwt.encode({**claims, **changes}, private, "RS256", headers={"x5t": x5t.decode()})  # type: ignore[arg-type] # PyJWT's union of keys


@cache
def _signing_key() -> Any:
    """Return the same key for every world: making one takes long."""
    world = World()
    tokens.signing_key(world)
    return world.documents.get("signing-key", "entra")


class Graph:
    """The ready-made tenant; its app calls Graph and Resource Manager."""

    def __init__(self, *permissions: str) -> None:
        self.world = World()
        plant(self.world, ready_made(), Path(), fresh=False)
        self.world.documents.put("signing-key", "entra", _signing_key())
        self.permit(*(permissions or ("Application.ReadWrite.All",)))
        self._services = {
            host: TestClient(Starlette(routes=routes(self.world)), base_url=f"https://{host}")
            for host, routes in (("graph.microsoft.com", graph_routes), ("management.azure.com", arm_routes))
        }

    def permit(self, *permissions: str) -> None:
        app = self.app(CLIENT_ID)
        app["grantedRoles"] = {"00000003-0000-0000-c000-000000000000": list(permissions)}
        self.world.documents.put("app", CLIENT_ID, app)

    def app(self, client_id: str) -> dict[str, Any]:
        app: dict[str, Any] = self.world.documents.get("app", client_id) or {}
        return app

    def token(self, host: str = "graph.microsoft.com", client_id: str = CLIENT_ID) -> str:
        client = tokens.Client(self.app(client_id), TENANT_ID, tokens.METHOD_CERTIFICATE)
        resource = find_resource(self.world, f"https://{host}", {"id": TENANT_ID})
        return tokens.issue(self.world, CLOUDS[0], client, resource, lifetime=3600)

    def send(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        host: str = "graph.microsoft.com",
        caller: str = CLIENT_ID,
        **headers: str,
    ) -> Response:
        headers = {"Authorization": f"Bearer {self.token(host, caller)}", **headers}
        content = None if body is None else json.dumps(body).encode()
        return self._services[host].request(method, path, headers=headers, content=content)

    def ok(self, method: str, path: str, body: Any = None, **options: Any) -> Any:
        """Send, and return the body of the success it must be."""
        answer = self.send(method, path, body, **options)
        assert answer.is_success, answer.text
        return answer.json() if answer.content else None

    def refused(self, method: str, path: str, body: Any = None, **options: Any) -> tuple[int, str]:
        """Send, and return status and code of the error it must be."""
        answer = self.send(method, path, body, **options)
        assert answer.is_error, answer.text
        return answer.status_code, answer.json()["error"]["code"]
