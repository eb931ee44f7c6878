"""A bare token endpoint with TLS: a fixed latency, a fixed answer, and a count of what reached it.

    python -m bench.endpoint CERTIFICATE KEY

Prints its port and serves on 127.0.0.1 until its standard input ends. Requests under ``/_control/`` set the
latency and faults and read the count; everything else is a token request or OpenID Connect discovery.
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import ssl
import sys
from dataclasses import dataclass
from urllib.parse import parse_qs, urlsplit

import h11

__all__ = ["main"]

_TOKEN_LENGTH = 1600
"""About what Entra ID's access tokens for applications have."""


@dataclass
class State:
    """What the endpoint does now, and what it has seen."""

    latency: float = 0.02
    lifetime: int = 3600
    faults: float = 0.0
    """Share of token requests answered with 503, 429, a broken connection or half an answer."""
    asked: int = 0
    faulted: int = 0
    certificates: int = 0


class Endpoint:
    """The handler of all connections."""

    def __init__(self, port_of: asyncio.Future[int]) -> None:
        self.state = State()
        self._port = port_of
        self._serial = 0
        self._seen: set[str] = set()
        self._random = random.Random(1)  # noqa: S311 - faults to be repeated, no secret

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        connection = h11.Connection(h11.SERVER)
        try:
            while await self._one(connection, reader, writer):
                connection.start_next_cycle()
        except (h11.RemoteProtocolError, ConnectionError, ssl.SSLError):
            pass
        finally:
            writer.close()

    async def _one(
        self, connection: h11.Connection, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> bool:
        request, body = None, b""
        while True:
            event = connection.next_event()
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(65536))
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += bytes(event.data)
            elif isinstance(event, h11.EndOfMessage):
                break
            else:
                return False
        assert request is not None
        status, headers, answer = await self._answer(request.target.decode(), body)
        if status == 0:
            if headers:
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 4000\r\n\r\n{")
                await writer.drain()
            else:
                writer.transport.abort()
            return False
        text = json.dumps(answer).encode()
        writer.write(
            connection.send(
                h11.Response(
                    status_code=status,
                    headers=[
                        ("Content-Type", "application/json"),
                        ("Content-Length", str(len(text))),
                        *headers,
                    ],
                )
            )
            + connection.send(h11.Data(data=text))
            + connection.send(h11.EndOfMessage())
        )
        await writer.drain()
        return connection.our_state is h11.DONE and connection.their_state is h11.DONE

    async def _answer(self, target: str, body: bytes) -> tuple[int, list[tuple[str, str]], object]:
        address = urlsplit(target)
        if address.path.startswith("/_control/"):
            return 200, [], self._control(parse_qs(address.query))
        await asyncio.sleep(self.state.latency)
        base = f"https://localhost:{self._port.result()}/{address.path.split('/')[1]}"
        if address.path.endswith("openid-configuration"):
            return (
                200,
                [],
                {
                    "token_endpoint": f"{base}/oauth2/v2.0/token",
                    "authorization_endpoint": f"{base}/oauth2/v2.0/authorize",
                    "issuer": f"{base}/v2.0",
                    "jwks_uri": f"{base}/discovery/v2.0/keys",
                },
            )
        self.state.asked += 1
        self._note_certificate(body)
        if self._random.random() < self.state.faults:
            self.state.faulted += 1
            return self._fault()
        self._serial += 1
        return (
            200,
            [],
            {
                "token_type": "Bearer",
                "expires_in": self.state.lifetime,
                "ext_expires_in": self.state.lifetime,
                "access_token": f"{self._serial:09d}.".ljust(_TOKEN_LENGTH, "x"),
            },
        )

    def _note_certificate(self, body: bytes) -> None:
        header = body.partition(b"client_assertion=")[2].partition(b".")[0]
        self._seen.add(header.decode())
        self.state.certificates = len(self._seen)

    def _fault(self) -> tuple[int, list[tuple[str, str]], object]:
        kind = self._random.choice(["503", "429", "reset", "half"])
        if kind == "503":
            return 503, [], {"error": "temporarily_unavailable", "error_description": "fault on request"}
        if kind == "429":
            return (
                429,
                [("Retry-After", "1")],
                {"error": "throttled", "error_description": "fault on request"},
            )
        return 0, [("half", "")] if kind == "half" else [], None

    def _control(self, query: dict[str, list[str]]) -> dict[str, float]:
        state = self.state
        found = {name: getattr(state, name) for name in ("asked", "faulted", "certificates")}
        for name in ("latency", "faults"):
            if name in query:
                setattr(state, name, float(query[name][0]))
        if "lifetime" in query:
            state.lifetime = int(query["lifetime"][0])
        if "reset" in query:
            state.asked = state.faulted = 0
        return found


async def _run(certificate: str, key: str) -> None:
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    loop = asyncio.get_running_loop()
    port: asyncio.Future[int] = loop.create_future()
    endpoint = Endpoint(port)
    server = await asyncio.start_server(endpoint.serve, "127.0.0.1", 0, ssl=context, backlog=1024)
    port.set_result(server.sockets[0].getsockname()[1])
    print(port.result(), flush=True)
    await loop.run_in_executor(None, sys.stdin.read)
    # Connections that clients keep open are cut; asyncio would report each of them.
    os._exit(0)


def main() -> None:
    """Serve until standard input ends."""
    asyncio.run(_run(*sys.argv[1:3]))


if __name__ == "__main__":
    main()
