"""The arguments of a credential, the same for sync and async: checked, and made into an engine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

from azcert._redact import Secret
from azcert.credential.caches.memory import TokenTable
from azcert.credential.flow import Engine
from azcert.credential.retry_rule import RetryRule
from azcert.credential.wanted import Identity
from azcert.entra.authority import ADFS, check_tenant, default_authority, parse_authority
from azcert.entra.region import configured_regions
from azcert.errors import ConfigurationError
from azcert.sources.follow import Follower
from azcert.wire.keywords import KEYWORDS, check_keywords

if TYPE_CHECKING:
    from collections.abc import Iterable

    from azcert.credential.caches.entry import TokenCache
    from azcert.credential.events import OnEvent
    from azcert.credential.wanted import Clock
    from azcert.entra.authority import Authority
    from azcert.sources.source import Source
    from azcert.wire.message import Flow

__all__ = ["build_engine"]

_OWN_KEYWORDS = frozenset(
    {
        "additionally_allowed_tenants",
        "authority",
        "cache",
        "cache_persistence_options",
        "cache_size",
        "certificate",
        "certificate_data",
        "certificate_path",
        "clock",
        "disable_instance_discovery",
        "on_event",
        "password",
        "send_certificate_chain",
    }
)
# azure-identity's own, which means nothing here: MSAL's log of personal data does not exist.
_IGNORED = frozenset({"enable_support_logging"})


class _RawPassword(Secret):
    """A password in another encoding than UTF-8, as azure-identity takes it."""

    __slots__ = ("_bytes",)

    def __init__(self, raw: bytes) -> None:
        super().__init__(raw.decode("utf-8", "replace"))
        self._bytes = raw

    def reveal_bytes(self) -> bytes:
        """Return the password as it was given."""
        return self._bytes


def build_engine(
    tenant_id: str,
    client_id: str,
    certificate_path: str | os.PathLike[str] | None,
    *,
    certificate_data: bytes | None,
    certificate: str | os.PathLike[str] | Source | None,
    password: str | bytes | Secret | None,
    authority: str | None,
    send_certificate_chain: bool,
    additionally_allowed_tenants: Iterable[str] | None,
    disable_instance_discovery: bool | None,
    cache_persistence_options: Any,
    cache: TokenCache | str | None,
    cache_size: int,
    on_event: OnEvent | None,
    clock: Clock,
    options: dict[str, Any],
    load_now: bool,
) -> Engine:
    """Check a credential's arguments and return its engine.

    :param options: the remaining keywords, for the pipeline.
    :param load_now: load the certificate even if that waits for a device.
    :raises ConfigurationError: an argument is wrong, or an unknown keyword.
    :raises azcert.errors.AzcertError: the certificate cannot be used.
    """
    check_keywords(options, known=KEYWORDS | _OWN_KEYWORDS | _IGNORED, what="CertificateCredential")
    check_tenant(tenant_id)
    if not client_id:
        raise ConfigurationError(
            "The client ID is empty.",
            code="no-client-id",
            remedy="Pass the application's ID: the portal shows it under App registrations, Overview.",
        )
    where = parse_authority(authority) if authority else default_authority()
    source = _source(certificate_path, certificate_data, certificate, password)
    # What the caller made may be in use elsewhere: it stays the caller's to close.
    follower = Follower(source, owns_source=source is not certificate, monotonic=clock.monotonic)
    identity = Identity(
        tenant_id,
        client_id,
        where,
        send_chain=bool(send_certificate_chain),
        additionally_allowed_tenants=frozenset(additionally_allowed_tenants or ()),
    )
    unchecked = where.is_known or disable_instance_discovery or tenant_id.lower() == ADFS
    engine = Engine(
        identity,
        follower,
        table=TokenTable(cache_size, clock=clock.time),
        rule=RetryRule.from_keywords(options),
        cache=_cache(cache, cache_persistence_options, source),
        owns_cache=cache is None or isinstance(cache, str),
        regions=configured_regions(clock.monotonic),
        check_authority=None if unchecked else lambda left: _discovery(where, tenant_id, left),
        on_event=on_event,
        clock=clock,
    )
    if load_now or not follower.blocking:
        follower.current()
    return engine


def _source(
    path: str | os.PathLike[str] | None,
    data: bytes | None,
    certificate: str | os.PathLike[str] | Source | None,
    password: str | bytes | Secret | None,
) -> Source:
    given = {"certificate_path": path, "certificate_data": data, "certificate": certificate}
    named = [name for name, value in given.items() if value]
    if len(named) != 1:
        found = f"{' and '.join(named)} were given" if named else "none was given"
        raise ConfigurationError(
            'CertificateCredential requires exactly one of "certificate_path", "certificate_data" and '
            f'"certificate"; {found}.',
            code="which-certificate",
            remedy="Pass the path of a PEM or PKCS#12 file with its private key as certificate_path.",
        )
    secret = _secret(password)
    if certificate:
        from azcert.sources.open import open_source  # only this form needs the grammar

        return open_source(certificate, password=secret)
    if path:
        from azcert.sources.openers.file import FileSource  # only the form in use is imported

        return FileSource(path, password=secret)
    from azcert.sources.openers.data import DataSource  # only the form in use is imported

    assert data is not None  # noqa: S101  (exactly one was given)
    return DataSource(data, password=secret)


def _discovery(authority: Authority, tenant_id: str, left: float) -> Flow[None]:
    from azcert.entra.discovery import discovery_flow  # only before a request, and rarely

    return discovery_flow(authority, tenant_id, timeout=left)


def _secret(password: str | bytes | Secret | None) -> Secret | None:
    if not password or isinstance(password, Secret):
        return password or None
    return _RawPassword(password) if isinstance(password, bytes) else Secret(password)


def _cache(cache: TokenCache | str | None, persistence: Any, source: Source) -> TokenCache | None:
    if persistence is None:
        named = os.environ.get("AZCERT_TOKEN_CACHE") if cache is None else cache
        if not named or not isinstance(named, str):
            return None if isinstance(named, str) else named
        from azcert.credential.open_cache import open_cache  # only if a cache is named

        return open_cache(named, source)
    if cache is not None:
        raise ConfigurationError(
            "Both cache and cache_persistence_options were given.",
            code="two-caches",
            remedy="Pass one of them.",
        )
    from azcert.credential.caches.persistent import PersistentCache  # imports msal-extensions

    return PersistentCache.from_options(persistence)
