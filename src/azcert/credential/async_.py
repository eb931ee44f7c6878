"""The credential, awaited; on asyncio and on trio."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azcert.credential.caches.memory import DEFAULT_LIMIT
from azcert.credential.events import EventKind
from azcert.credential.flight import Flight
from azcert.credential.forks import renew_after_fork
from azcert.credential.freshness import Freshness
from azcert.credential.options import build_engine
from azcert.credential.wanted import SYSTEM_CLOCK
from azcert.wire.async_ import AsyncChannel
from azcert.wire.loops import current_loop, new_event, start, wait_for

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

_LAST_WORDS = 0.25
"""Seconds a caller waits beyond its deadline for the reason, which a request that ends there brings."""


class CertificateCredential:
    """Authenticates an application with a certificate; takes the place of azure-identity's of the same name.

    One credential may be shared by any number of tasks. However many of them want the same token, one
    request is made, and each of them can be cancelled without harm to the others; a token that is nearly at
    its end is renewed in the background. Keys in devices sign, and caches that block are asked, in worker
    threads.

    The arguments, attributes and errors are those of `azcert.CertificateCredential`. A certificate whose
    source waits for a device or a network is loaded by the first request, not here.

    It runs on asyncio and, with a transport for it such as azure-core's ``TrioRequestsTransport``, on trio.
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
            load_now=False,
        )
        self._hits = self._engine.table.hits
        self._time = clock.time
        self._options = options
        self._channels: dict[Hashable, AsyncChannel] = {}
        self._flights: dict[tuple[Hashable, Wanted], _Flight] = {}
        renew_after_fork(self)

    async def get_token(
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
        return (
            await self._miss(scopes, name, claims, tenant_id, enable_cae, "get_token", kwargs.get("timeout"))
        ).token

    async def get_token_info(
        self, *scopes: str, options: TokenRequestOptions | None = None
    ) -> AccessTokenInfo:
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
            return (await self._miss(scopes, name, None, None, False, "get_token_info", None)).info
        claims, tenant_id = options.get("claims"), options.get("tenant_id")
        enable_cae = options.get("enable_cae", False)
        if tenant_id is not None or enable_cae:
            name = (scopes, tenant_id, enable_cae)
        slot = self._hits.get(name)
        if slot is not None and self._time() < slot.fresh_until and claims is None:
            slot.hits += 1
            return slot.info
        return (await self._miss(scopes, name, claims, tenant_id, enable_cae, "get_token_info", None)).info

    @property
    def hit_count(self) -> int:
        """How many calls were answered from memory; may miss a few where threads counted at once."""
        return self._engine.table.hit_count

    async def close(self) -> None:
        """Close connections, and the certificate's source and the cache unless they were passed in."""
        channel = self._channels.pop(current_loop(), None)
        if channel is not None:
            await channel.close()
        self._engine.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        await self.close()

    def __repr__(self) -> str:
        return f"<CertificateCredential {self._engine}>"

    async def _miss(
        self,
        scopes: tuple[str, ...],
        name: Hashable,
        claims: str | None,
        tenant_id: str | None,
        enable_cae: bool,
        method: str,
        timeout: float | None,  # noqa: ASYNC109  (the deadline of a request that others may share)
    ) -> Slot:
        engine = self._engine
        wanted = engine.wanted(scopes, claims, tenant_id, enable_cae, method)
        deadline = engine.deadline(timeout)
        while True:
            # No await from here to the flight's start: within one loop nobody comes between.
            slot, state = engine.in_memory(wanted, name)
            where = (current_loop(), wanted)
            flight = self._under_way(where)
            if flight is None and state is not Freshness.USE:
                flight = self._begin(where, slot, state, deadline)
            elif flight is not None and state is Freshness.MUST_REFRESH:
                engine.tell(EventKind.WAITER, wanted)
            if flight is None or (slot is not None and state is not Freshness.MUST_REFRESH):
                assert slot is not None  # noqa: S101  (fresh enough to be used, or a flight was begun)
                slot.hits += 1
                return slot
            await wait_for(flight.landed, deadline + _LAST_WORDS - engine.clock.monotonic())
            landed = flight.result_for(deadline)
            if landed is not None:
                engine.table.find(wanted.identity, name)
                return landed
            if engine.clock.monotonic() >= deadline:
                raise engine.out_of_time(wanted)

    def _under_way(self, where: tuple[Hashable, Wanted]) -> _Flight | None:
        flight = self._flights.get(where)
        return None if flight is None or flight.is_lost(self._engine.clock.monotonic()) else flight

    def _begin(
        self, where: tuple[Hashable, Wanted], slot: Slot | None, state: Freshness, deadline: float
    ) -> _Flight:
        loop, wanted = where
        early = slot if state is Freshness.REFRESH_EARLY else None
        flight = _Flight(self._engine.until(deadline, state), patient=early is None)
        channel = self._channel(loop)

        async def job() -> None:
            try:
                flow = self._engine.acquire(wanted, deadline=flight.deadline, patient=flight.patient)
                flight.slot = await channel.run(flow)
            except Exception as error:  # noqa: BLE001  (raised in those who wait, or logged if nobody does)
                flight.error = error
                if early is not None:
                    self._engine.pause_refresh(early, wanted, error)
            finally:
                # Removed before it lands: who comes later gets neither its token nor its error by it.
                if self._flights.get(where) is flight:
                    del self._flights[where]
                flight.landed.set()

        if early is not None:
            self._engine.begin_refresh(early)
        self._flights[where] = flight
        start(job)
        return flight

    def _channel(self, loop: Hashable) -> AsyncChannel:
        channel = self._channels.get(loop)
        if channel is None:
            # Connections belong to their loop; those of loops that have ended are of no use to anyone.
            for other in list(self._channels):
                if getattr(other, "is_closed", bool)():
                    self._channels.pop(other, None)
            channel = self._channels[loop] = AsyncChannel(self._options)
        return channel

    def _after_fork(self) -> None:
        self._flights = {}
        for channel in self._channels.values():
            channel.forget()
        self._channels = {}
        self._engine.after_fork()


class _Flight(Flight):
    """A flight that tasks wait for."""

    def __init__(self, deadline: float, *, patient: bool) -> None:
        super().__init__(deadline, patient=patient)
        self.landed = new_event()
