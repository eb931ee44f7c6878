"""An emulator, seeded, with the files and the environment that its clients need."""

from __future__ import annotations

import os
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from azcert._files import write_atomic
from azcert.emulator.environment import on_a_machine, trust_bundle, variables
from azcert.emulator.hosts import DOMAINS
from azcert.emulator.ready_made import ready_made
from azcert.emulator.remote import write_runtime
from azcert.emulator.seed import Identity, plant, read_seed, register
from azcert.emulator.server import Emulator
from azcert.emulator.state import Documents
from azcert.emulator.tls import Authority
from azcert.emulator.world import Delays, World

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azcert._redact import Secret

__all__ = ["Options", "Session", "session"]

CA_FILE = "ca.pem"
CLIENT_FILE = "client.pem"
RUNTIME_FILES = (CA_FILE, CLIENT_FILE, "emulator.json")


@dataclass(frozen=True)
class Options:
    """How an emulator is started.

    :param seed: a seed file; the ready-made tenant without one.
    :param state: keeps what the emulator knows; only a new one is seeded.
    :param certificate: certificate file to register on the first app, instead of a fresh one.
    :param password: of that file.
    :param port: the proxy's port; a free one by default.
    :param clock: moment that it shall be, in seconds since the epoch.
    :param passthrough: tunnel other hosts to the real network.
    :param managed_identity: ``imds`` or ``app-service``: let clients be on a machine that has the first app's
        identity, instead of giving them its certificate.
    """

    seed: Path | None = None
    state: Path | None = None
    certificate: Path | None = None
    password: Secret | None = None
    port: int = 0
    clock: float | None = None
    delays: Delays | None = None
    passthrough: bool = False
    managed_identity: str | None = None


@dataclass(frozen=True)
class Session:
    """A running emulator.

    :param identity: the first app of the seed.
    :param certificate: its certificate file with key, if it has one.
    :param environment: what to set for clients, and as None what to unset.
    """

    emulator: Emulator
    identity: Identity
    certificate: Path | None
    bundle: Path
    environment: dict[str, str | None] = field(repr=False)


@contextmanager
def session(folder: Path, options: Options | None = None) -> Iterator[Session]:
    """Run an emulator while the context lasts; *folder* (private, existing) holds its runtime files.

    :raises azcert.errors.AzcertError: an option is wrong, or the port or state is in use.
    """
    asked = options or Options()
    world = World(Documents(asked.state), delays=asked.delays or Delays())
    try:
        if asked.clock is not None:
            world.clock.set(asked.clock)
        identity = _identity(world, asked)
        authority = _authority(world)
        with Emulator(
            world,
            port=asked.port,
            authority=authority,
            passthrough=asked.passthrough,
            identity=identity.client_id if asked.managed_identity else None,
        ) as running:
            try:
                yield _prepared(running, identity, folder, asked)
            finally:
                for name in RUNTIME_FILES:
                    (folder / name).unlink(missing_ok=True)
    finally:
        world.documents.close()


def _prepared(running: Emulator, identity: Identity, folder: Path, asked: Options) -> Session:
    bundle = folder / CA_FILE
    write_atomic(bundle, trust_bundle(running.authority.pem, passthrough=running.passthrough), overwrite=True)
    certificate = identity.certificate
    if certificate is None and identity.pem is not None:
        certificate = folder / CLIENT_FILE
        write_atomic(certificate, identity.pem, overwrite=True)
    changes = variables(
        proxy_url=running.proxy_url,
        bundle=bundle,
        folder=folder,
        identity=identity,
        certificate=certificate,
        password=asked.password.reveal() if asked.password and asked.certificate else None,
    )
    if asked.managed_identity:
        changes = on_a_machine(changes, asked.managed_identity, running.identity_url, running.identity_header)
    write_runtime(
        folder,
        proxy_url=running.proxy_url,
        secret=running.control_secret,
        authority=running.authority.pem,
        changes=changes,
    )
    return Session(running, identity, certificate, bundle, changes)


def _identity(world: World, asked: Options) -> Identity:
    """Seed an empty world, or remember who the first app of a kept one is."""
    with world.documents.transaction():
        kept = world.documents.get("emulator", "identity")
        if kept is not None:
            identity = _identity_from(kept)
        else:
            seed = read_seed(asked.seed) if asked.seed else ready_made()
            start = asked.seed.parent if asked.seed else Path.cwd()
            identity = plant(world, seed, start, fresh=asked.certificate is None)
            world.documents.put("emulator", "identity", _plain(identity))
        if asked.certificate is not None:
            register(world, identity.client_id, asked.certificate, asked.password)
            identity = replace(identity, certificate=asked.certificate.absolute(), pem=None)
    return identity


def _authority(world: World) -> Authority:
    with world.documents.transaction():
        kept = world.documents.get("emulator", "authority")
        if kept is not None:
            return Authority.from_pem(kept["pem"].encode())
        made = Authority.create(DOMAINS)
        world.documents.put("emulator", "authority", {"pem": made.private_pem().decode()})
        return made


def _plain(identity: Identity) -> dict[str, Any]:
    plain = asdict(identity)
    plain["certificate"] = os.fspath(identity.certificate) if identity.certificate else None
    plain["pem"] = identity.pem.decode() if identity.pem else None
    return plain


def _identity_from(plain: dict[str, Any]) -> Identity:
    certificate, pem = plain["certificate"], plain["pem"]
    return Identity(
        **{
            **plain,
            "certificate": Path(certificate) if certificate else None,
            "pem": pem.encode() if pem else None,
        }
    )
