"""Which azure-core policies a request passes, and what their errors mean.

Imported with the first request: a token from a cache needs none of it.
"""

from __future__ import annotations

import platform
import socket
import ssl
from typing import TYPE_CHECKING, Any

from azure.core.pipeline.policies import (
    CustomHookPolicy,
    DistributedTracingPolicy,
    HeadersPolicy,
    HttpLoggingPolicy,
    ProxyPolicy,
    RequestIdPolicy,
    UserAgentPolicy,
)

from azcert import __version__
from azcert.errors import TransportError
from azcert.wire.message import Response

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from azcert.wire.message import Request

__all__ = ["failure", "policies", "read_response", "reason", "request_options", "transport_options"]

_CONNECTION_TIMEOUT = 10.0
_READ_TIMEOUT = 20.0


def policies(options: Mapping[str, Any]) -> list[Any]:
    """Return the policies of a pipeline, in azure-identity's order, without its retry policy.

    NetworkTraceLoggingPolicy and ContentDecodePolicy are left out on purpose: the first writes bodies to the
    log, which are assertions and tokens here; the second fails on answers that flows read for themselves.
    """
    if options.get("policies"):
        return list(options["policies"])
    # Not platform.platform(): it starts a process (uname -p), which a first token would wait for.
    where = f"{platform.system()}-{platform.release()}-{platform.machine()}"
    python = f"Python/{platform.python_version()} ({where})"
    return [
        RequestIdPolicy(**_only(options, "request_id", "auto_request_id")),
        HeadersPolicy(**_only(options, "headers")),
        UserAgentPolicy(
            base_user_agent=f"azsdk-python-azcert/{__version__} {python}",
            **_only(options, "user_agent", "user_agent_overwrite", "user_agent_use_env", "sdk_moniker"),
        ),
        ProxyPolicy(**_only(options, "proxies")),
        *options.get("per_call_policies", ()),
        *options.get("per_retry_policies", ()),
        CustomHookPolicy(**_only(options, "raw_request_hook", "raw_response_hook")),
        DistributedTracingPolicy(**_only(options, "network_span_namer", "tracing_attributes")),
        HttpLoggingPolicy(**_only(options, "logger", "http_logging_level")),
    ]


def transport_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """Return the keywords of a transport azcert makes itself, with limits that suit a token endpoint."""
    return {
        "connection_timeout": _CONNECTION_TIMEOUT,
        "read_timeout": _READ_TIMEOUT,
        **_only(
            options,
            "connection_cert",
            "connection_data_block_size",
            "connection_timeout",
            "connection_verify",
            "read_timeout",
            "session",
            "session_owner",
            "use_env_settings",
        ),
    }


def request_options(options: Mapping[str, Any], request: Request) -> dict[str, Any]:
    """Return the per-request keywords: the transport's limits, cut down to the request's own.

    A caller's transport is only told what azure-core's own retry policy tells it: not all of them know more.
    """
    if request.timeout is None:
        return {}
    transport = options.get("transport")
    if transport is not None:
        limit = getattr(getattr(transport, "connection_config", None), "timeout", None)
        return {"connection_timeout": min(limit, request.timeout)} if isinstance(limit, int | float) else {}
    connect = options.get("connection_timeout", _CONNECTION_TIMEOUT)
    if isinstance(connect, tuple):
        # requests' (connect, read) pair, deprecated in azure-core: it goes as it was given.
        return {}
    read = options.get("read_timeout", _READ_TIMEOUT)
    return {"connection_timeout": min(connect, request.timeout), "read_timeout": min(read, request.timeout)}


def read_response(response: Any) -> Response:
    """Return azure-core's response, already read, as a plain value."""
    headers = {name.lower(): value for name, value in response.headers.items()}
    return Response(response.status_code, headers, response.content, raw=response)


def failure(request: Request, error: BaseException) -> TransportError:
    """Say in azcert's words why no answer came."""
    host = request.url.split("/")[2]
    causes = list(_causes(error))
    if any(isinstance(cause, ssl.SSLCertVerificationError) for cause in causes):
        return TransportError(
            f"The TLS certificate of {host} could not be verified: {_innermost(causes)}.",
            code="tls-untrusted",
            remedy="If a proxy of your company opens TLS, add its CA: connection_verify=PATH, or "
            "REQUESTS_CA_BUNDLE and SSL_CERT_FILE.",
            host=host,
            retryable=False,
        )
    if any(isinstance(cause, socket.gaierror) for cause in causes):
        return TransportError(
            f"The name {host} could not be resolved: {_innermost(causes)}.",
            code="name-not-resolved",
            remedy="Check DNS, the authority, and whether HTTPS_PROXY must be set.",
            host=host,
            retryable=True,
        )
    if any("timeout" in type(cause).__name__.lower() for cause in causes):
        return TransportError(
            f"{host} did not answer in time.",
            code="timeout",
            remedy="Check the network, and whether HTTPS_PROXY must be set.",
            host=host,
            retryable=True,
        )
    return TransportError(
        f"The conversation with {host} broke off: {_innermost(causes)}.",
        code="connection",
        remedy="Check the network, and whether HTTPS_PROXY must be set.",
        host=host,
        retryable=True,
    )


def reason(error: BaseException) -> str:
    """Return what the system said, under all that azure-core and the transports wrapped around it."""
    return _innermost(list(_causes(error)))


def _only(options: Mapping[str, Any], *names: str) -> dict[str, Any]:
    return {name: options[name] for name in names if name in options}


def _causes(error: BaseException) -> Iterator[BaseException]:
    # azure-core, requests, urllib3 and aiohttp each wrap in their own way: by cause, context, reason or args.
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        waiting += [one.__cause__, one.__context__, *one.args]
        waiting += [getattr(one, name, None) for name in ("inner_exception", "reason", "os_error")]


def _innermost(causes: list[BaseException]) -> str:
    system = [cause for cause in causes if isinstance(cause, OSError) and cause.strerror]
    text = str(system[-1].strerror if system else causes[-1]) or type(causes[-1]).__name__
    return text.rstrip(".")
