"""The credential, for threads."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from azcert.credential.background import Background
from azcert.credential.caches.memory import DEFAULT_LIMIT
from azcert.credential.events import EventKind
from azcert.credential.flight import Flight
from azcert.credential.forks import renew_after_fork
from azcert.credential.freshness import Freshness
from azcert.credential.options import build_engine
from azcert.credential.wanted import SYSTEM_CLOCK
from azcert.wire.sync import Channel

if TYPE_CHECKING:
    import os
    from collections.abc import Hashable, Iterable
    from types import TracebackType
    from typing import Self

    from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions

    from azcert._redact import Secret
    from azcert.credential.caches.entry import TokenCache
    from azcert.credential.events import OnEvent
    from azcert.credential.tokens import Slot
    from azcert.credential.wanted import Clock, Wanted
    from azcert.sources.source import Source

__all__ = ["CertificateCredential"]


class CertificateCredential:
    """Authenticates an application with a certificate; takes the place of azure-identity's of the same name.

    One credential may be shared by any number of threads. However many of them want the same token, one
    request is made; a token that is nearly at its end is renewed in the background.

    :param tenant_id: the tenant's ID or domain; ``adfs`` for AD FS.
    :param client_id: the application's (client) ID.
    :param certificate_path: a PEM or PKCS#12 file with the certificate and its private key. The file may
        change while the program runs: the next request uses what it holds then.
    :keyword bytes certificate_data: the content of such a file instead.
    :keyword certificate: a source's URI, a path or a source object instead; see the page on sources.
    :keyword password: what opens the private key: text, bytes or a `Secret`.
    :keyword str authority: host or https URL of the authority; by default AZURE_AUTHORITY_HOST or the public
        cloud.
    :keyword bool send_certificate_chain: send the certificate with its issuers (``x5c``), which subject name
        and issuer authentication needs.
    :keyword additionally_allowed_tenants: tenants that calls may name besides the credential's own; ``*``
        for any.
    :keyword bool disable_instance_discovery: trust an authority that is not one of Microsoft's well-known
        hosts.
    :keyword cache_persistence_options: azure-identity's ``TokenCachePersistenceOptions``.
    :keyword cache: a `TokenCache` shared with other processes or credentials, or its name (``file``,
        ``rediss://host:6379/0``); by default the one that AZCERT_TOKEN_CACHE names.
    :keyword int cache_size: how many tokens are kept in memory.
    :keyword on_event: called with an `Event` for each request, refresh, failure, ...
    :keyword Clock clock: what time it is; for tests that do not want to wait.
    :keyword options: azure-core's pipeline keywords (``transport``, ``proxies``, ``connection_verify``, ...).
    :raises azcert.errors.CertificateError: the certificate cannot be used (a ``ValueError``).
    :raises azcert.errors.ConfigurationError: an argument is wrong (a ``ValueError``).
    """

    def __init__(
        self,
        tenant_id: str,
        client_id: str,
        certificate_path: str | os.PathLike[str] | None = None,
        *,
        certificate_data: bytes | None = None,
        certificate: str | os.PathLike[str] | Source | None = None,
        password: str | bytes | Secret | None = None,
        authority: str | None = None,
        send_certificate_chain: bool = False,
        additionally_allowed_tenants: Iterable[str] | None = None,
        disable_instance_discovery: bool | None = None,
        cache_persistence_options: Any = None,
        cache: TokenCache | str | None = None,
        cache_size: int = DEFAULT_LIMIT,
        on_event: OnEvent | None = None,
        clock: Clock = SYSTEM_CLOCK,
        **options: Any,
    ) -> None:
        self._engine = build_engine(
            tenant_id,
            client_id,
            certificate_path,
            certificate_data=certificate_data,
            certificate=certificate,
            password=password,
            authority=authority,
            send_certificate_chain=send_certificate_chain,
            additionally_allowed_tenants=additionally_allowed_tenants,
            disable_instance_discovery=disable_instance_discovery,
            cache_persistence_options=cache_persistence_options,
            cache=cache,
            cache_size=cache_size,
            on_event=on_event,
            clock=clock,
            options=options,
            load_now=True,
        )
        self._hits = self._engine.table.hits
        self._time = clock.time
        self._channel = Channel(options)
        self._lock = threading.Lock()
        self._flights: dict[Wanted, _Flight] = {}
        self._background = Background()
        renew_after_fork(self)

    def get_token(
        self,
        *scopes: str,
        claims: str | None = None,
        tenant_id: str | None = None,
        enable_cae: bool = False,
        **kwargs: Any,
    ) -> AccessToken:
        """Return an access token for *scopes*; Azure's clients call this.

        :param scopes: what the token is for, such as ``https://vault.azure.net/.default``.
        :keyword claims: the claims of a challenge; they pass by the caches.
        :keyword tenant_id: another tenant than the credential's own.
        :keyword enable_cae: ask for a token under Continuous Access Evaluation.
        :keyword timeout: seconds this call may take, instead of the credential's.
        :raises azcert.errors.AuthenticationError: no token; a ``ClientAuthenticationError``.
        """
        # The hit path: one look-up, one reading of the clock. Everything else is decided elsewhere.
        # A single scope is its own name: among 100,000 tokens each object less is a miss of the processor's.
        name: Hashable = scopes[0] if len(scopes) == 1 else scopes
        if tenant_id is not None or enable_cae:
            name = (scopes, tenant_id, enable_cae)
        slot = self._hits.get(name)
        if slot is not None and self._time() < slot.fresh_until and claims is None:
            slot.hits += 1
            return slot.token
        return self._miss(
            scopes, name, claims, tenant_id, enable_cae, "get_token", kwargs.get("timeout")
        ).token

    def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """Return an access token with its type and the time to renew it; Azure's clients call this.

        :param scopes: as for `get_token`.
        :keyword options: ``claims``, ``tenant_id`` and ``enable_cae`` as for `get_token`.
        :raises azcert.errors.AuthenticationError: no token; a ``ClientAuthenticationError``.
        """
        name: Hashable = scopes[0] if len(scopes) == 1 else scopes
        if not options:
            slot = self._hits.get(name)
            if slot is not None and self._time() < slot.fresh_until:
                slot.hits += 1
                return slot.info
            return self._miss(scopes, name, None, None, False, "get_token_info", None).info
        claims, tenant_id = options.get("claims"), options.get("tenant_id")
        enable_cae = options.get("enable_cae", False)
        if tenant_id is not None or enable_cae:
            name = (scopes, tenant_id, enable_cae)
        slot = self._hits.get(name)
        if slot is not None and self._time() < slot.fresh_until and claims is None:
            slot.hits += 1
            return slot.info
        return self._miss(scopes, name, claims, tenant_id, enable_cae, "get_token_info", None).info

    @property
    def hit_count(self) -> int:
        """How many calls were answered from memory; may miss a few where threads counted at once."""
        return self._engine.table.hit_count

    def close(self) -> None:
        """Close connections, and the certificate's source and the cache unless they were passed in."""
        self._channel.close()
        self._engine.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<CertificateCredential {self._engine}>"

    def _miss(
        self,
        scopes: tuple[str, ...],
        name: Hashable,
        claims: str | None,
        tenant_id: str | None,
        enable_cae: bool,
        method: str,
        timeout: float | None,
    ) -> Slot:
        engine = self._engine
        wanted = engine.wanted(scopes, claims, tenant_id, enable_cae, method)
        deadline = engine.deadline(timeout)
        while True:
            with self._lock:
                slot, state = engine.in_memory(wanted, name)
                flight = self._under_way(wanted)
                leads = flight is None and state is not Freshness.USE
                if flight is None:
                    flight = _Flight(engine.until(deadline, state), patient=state is Freshness.MUST_REFRESH)
                if leads:
                    self._flights[wanted] = flight
                if leads and slot is not None and state is Freshness.REFRESH_EARLY:
                    engine.begin_refresh(slot)
            if slot is not None and state is not Freshness.MUST_REFRESH:
                if leads:
                    self._refresh(wanted, flight, slot)
                slot.hits += 1
                return slot
            if leads:
                landed: Slot | None = self._fly(wanted, flight)
            else:
                engine.tell(EventKind.WAITER, wanted)
                flight.landed.wait(deadline - engine.clock.monotonic())
                landed = flight.result_for(deadline)
            if landed is not None:
                engine.table.find(wanted.identity, name)
                return landed
            if engine.clock.monotonic() >= deadline:
                raise engine.out_of_time(wanted)

    def _under_way(self, wanted: Wanted) -> _Flight | None:
        flight = self._flights.get(wanted)
        return None if flight is None or flight.is_lost(self._engine.clock.monotonic()) else flight

    def _fly(self, wanted: Wanted, flight: _Flight) -> Slot:
        try:
            flight.slot = self._channel.run(
                self._engine.acquire(wanted, deadline=flight.deadline, patient=flight.patient)
            )
        except Exception as error:
            # Any error: those who wait must hear of it, whatever it was.
            flight.error = error
            raise
        finally:
            # Removed before it lands: who comes later gets neither its token nor its error by it.
            self._end(wanted, flight)
        return flight.slot

    def _end(self, wanted: Wanted, flight: _Flight) -> None:
        with self._lock:
            if self._flights.get(wanted) is flight:
                del self._flights[wanted]
        flight.landed.set()

    def _refresh(self, wanted: Wanted, flight: _Flight, slot: Slot) -> None:
        def job() -> None:
            if self._flights.get(wanted) is not flight:
                # It waited so long for a free thread that another one was begun.
                flight.landed.set()
                return
            flight.deadline = self._engine.deadline(None)
            try:
                self._fly(wanted, flight)
            except Exception as error:  # noqa: BLE001  (nobody waits: the good token stays, the log says why)
                self._engine.pause_refresh(slot, wanted, error)

        if not self._background.start(job):
            self._end(wanted, flight)

    def _after_fork(self) -> None:
        self._lock = threading.Lock()
        self._flights = {}
        self._background = Background()
        self._channel.forget()
        self._engine.after_fork()


class _Flight(Flight):
    """A flight that threads wait for."""

    def __init__(self, deadline: float, *, patient: bool) -> None:
        super().__init__(deadline, patient=patient)
        self.landed = threading.Event()
