"""One conversation with the token endpoint: the request, and what its answer means.

https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import urlencode

from azcert import __version__
from azcert._redact import Secret
from azcert.entra.aadsts import THROTTLED, explain
from azcert.errors import AuthenticationError
from azcert.wire.message import Request, answer_to

if TYPE_CHECKING:
    from collections.abc import Sequence

    from azcert.wire.message import Flow, Response

__all__ = ["Busy", "Issued", "TokenRequest", "merge_claims", "token_flow"]

_CAE_CAPABILITY = "CP1"
_BUSY = frozenset({408, 429, 500, 502, 503, 504})
_BUSY_CODES = frozenset({"temporarily_unavailable", "server_error"})
_AADSTS = re.compile(r"AADSTS(\d+)")
_OK = 200


class TokenRequest(NamedTuple):
    """What is asked for.

    :param url: the endpoint the request goes to.
    :param scopes: sent in this order, joined by blanks.
    :param claims: a claims challenge as JSON text, or None.
    :param correlation_id: comes back in errors, and is what Microsoft's support asks for.
    :param timeout: seconds the request may take, or None for the transport's own limits.
    :param busy_statuses: further HTTP statuses that mean *try again*.
    """

    url: str
    tenant_id: str
    client_id: str
    scopes: Sequence[str]
    assertion: Secret
    correlation_id: str
    claims: str | None = None
    enable_cae: bool = False
    timeout: float | None = None
    busy_statuses: frozenset[int] = frozenset()


class Issued(NamedTuple):
    """A token with its times in seconds from the moment of the answer."""

    token: Secret
    expires_in: int
    refresh_in: int | None
    token_type: str


class Busy(NamedTuple):
    """The service did not decide: it is throttling, failing, or its answer did not arrive whole.

    :param retry_after: seconds the service asked to wait, or None.
    :param reason: what it answered, for people.
    """

    status: int
    reason: str
    retry_after: str | None
    response: Response


def token_flow(asked: TokenRequest) -> Flow[Issued | Busy]:
    """Ask once for a token.

    :raises AuthenticationError: the service refused; trying the same again is of no use.
    """
    response = yield from answer_to(_request(asked))
    return _read(asked, response)


def merge_claims(claims: str | None, *, enable_cae: bool) -> str | None:
    """Return the claims parameter: the challenge's claims and the client's capabilities in one object.

    https://learn.microsoft.com/entra/identity-platform/claims-challenge

    :raises AuthenticationError: the challenge is not a JSON object.
    """
    merged = _challenge(claims) if claims else {}
    if enable_cae:
        merged.setdefault("access_token", {})["xms_cc"] = {"values": [_CAE_CAPABILITY]}
    return json.dumps(merged, separators=(",", ":")) if merged else None


def _challenge(claims: str) -> dict[str, Any]:
    try:
        value = json.loads(claims)
    except ValueError:
        value = None
    if not isinstance(value, dict) or not isinstance(value.get("access_token", {}), dict):
        raise AuthenticationError(
            "The claims of the challenge are not a JSON object.",
            code="bad-claims",
            remedy='Pass the decoded text of the challenge, such as {"access_token":{...}}.',
        )
    return value


def _request(asked: TokenRequest) -> Request:
    form = {
        "client_id": asked.client_id,
        "grant_type": "client_credentials",
        "scope": " ".join(asked.scopes),
        "client_assertion_type": "urn:ietf:params:oauth:client-assertion-type:jwt-bearer",
        "client_assertion": asked.assertion.reveal(),
    }
    claims = merge_claims(asked.claims, enable_cae=asked.enable_cae)
    if claims is not None:
        form["claims"] = claims
    headers = {
        "Accept": "application/json",
        "Content-Type": "application/x-www-form-urlencoded",
        "client-request-id": asked.correlation_id,
        "x-client-sku": "azcert",
        "x-client-ver": __version__,
        # Tells the service that 429 and Retry-After are understood here, as MSAL does.
        "x-ms-lib-capability": "retry-after, h429",
    }
    return Request("POST", asked.url, headers, urlencode(form).encode(), timeout=asked.timeout)


def _read(asked: TokenRequest, response: Response) -> Issued | Busy:
    answer = response.json()
    if response.status == _OK:
        issued = _issued(answer)
        return issued or _busy(response, "an answer that is cut off or holds no token")
    error = str(answer.get("error", ""))
    code = _code(answer)
    if response.status in _BUSY | asked.busy_statuses or error in _BUSY_CODES or code in THROTTLED:
        said = f"HTTP {response.status}" + (f" ({error})" if error else "")
        return _busy(response, said)
    if not error:
        raise _stranger(asked, response)
    raise _refused(asked, response, answer, error, code)


def _issued(answer: dict[str, Any]) -> Issued | None:
    token = answer.get("access_token")
    expires_in = _seconds(answer.get("expires_in"))
    if not isinstance(token, str) or not token or expires_in is None:
        return None
    token_type = answer.get("token_type")
    return Issued(
        Secret(token),
        expires_in,
        _seconds(answer.get("refresh_in")),
        token_type if isinstance(token_type, str) else "Bearer",
    )


def _seconds(value: Any) -> int | None:
    # Numbers from the v2 endpoint, strings from v1 and AD FS.
    try:
        return int(value)
    except (TypeError, ValueError):
        return None


def _busy(response: Response, reason: str) -> Busy:
    return Busy(response.status, reason, response.headers.get("retry-after"), response)


def _code(answer: dict[str, Any]) -> int | None:
    codes = answer.get("error_codes")
    if isinstance(codes, list) and codes and isinstance(codes[0], int):
        return codes[0]
    match = _AADSTS.search(str(answer.get("error_description", "")))
    return int(match[1]) if match else None


def _refused(
    asked: TokenRequest, response: Response, answer: dict[str, Any], error: str, code: int | None
) -> AuthenticationError:
    description = " ".join(str(answer.get("error_description") or error).split())
    known = explain(code, description) if code is not None else None
    return AuthenticationError(
        f"Authentication failed: Entra ID refused client {asked.client_id} in tenant {asked.tenant_id}: "
        f"{description}",
        code="refused",
        remedy=known.remedy if known else None,
        response=response.raw,
        aadsts=code,
        error=error,
        trace_id=_text(answer.get("trace_id")) or response.headers.get("x-ms-request-id"),
        correlation_id=_text(answer.get("correlation_id")) or asked.correlation_id,
        cause=known.cause if known else None,
        status=response.status,
        tenant_id=asked.tenant_id,
        client_id=asked.client_id,
        scopes=list(asked.scopes),
    )


def _text(value: Any) -> str | None:
    return value if isinstance(value, str) and value else None


def _stranger(asked: TokenRequest, response: Response) -> AuthenticationError:
    kind = response.headers.get("content-type", "no content type")
    return AuthenticationError(
        f"Authentication failed: {asked.url} answered HTTP {response.status} with {kind}; a token or an "
        "OAuth error as JSON was expected.",
        code="unexpected-answer",
        remedy="Something else than Entra ID answered: check the authority, and HTTPS_PROXY with its rules.",
        response=response.raw,
        correlation_id=asked.correlation_id,
        status=response.status,
        tenant_id=asked.tenant_id,
        client_id=asked.client_id,
    )
