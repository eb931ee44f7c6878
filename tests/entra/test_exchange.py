from __future__ import annotations

import contextlib
import json
from typing import Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azcert._redact import Secret
from azcert.entra.exchange import Busy, Issued, TokenRequest, merge_claims, token_flow
from azcert.errors import AuthenticationError
from azcert.wire.message import Request, Response


def asked(**changes: Any) -> TokenRequest:
    fields: dict[str, Any] = {
        "url": "https://login.example/t/oauth2/v2.0/token",
        "tenant_id": "tenant-1",
        "client_id": "client-1",
        "scopes": ("https://vault.azure.net/.default",),
        "assertion": Secret("header.claims.signature"),
        "correlation_id": "correlation-1",
    }
    return TokenRequest(**(fields | changes))


def conversation(response: Response, **changes: Any) -> tuple[Request, Issued | Busy]:
    flow = token_flow(asked(**changes))
    request = next(flow)
    assert isinstance(request, Request)
    with pytest.raises(StopIteration) as stopped:
        flow.send(response)
    return request, stopped.value.value


def answer(body: Any, status: int = 200, **headers: str) -> Response:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return Response(status, {name.replace("_", "-"): value for name, value in headers.items()}, content)


TOKEN = {"token_type": "Bearer", "expires_in": 3599, "access_token": "the-token"}


def test_the_request_is_what_the_protocol_says() -> None:
    request, _ = conversation(answer(TOKEN))
    assert request.method == "POST"
    assert request.body is not None
    assert parse_qs(request.body.decode(), strict_parsing=True) == {
        "client_id": ["client-1"],
        "grant_type": ["client_credentials"],
        "scope": ["https://vault.azure.net/.default"],
        "client_assertion_type": ["urn:ietf:params:oauth:client-assertion-type:jwt-bearer"],
        "client_assertion": ["header.claims.signature"],
    }
    assert request.headers["client-request-id"] == "correlation-1"
    assert "header.claims" not in repr(request)


@pytest.mark.parametrize("expires_in", [3599, "3599"])
def test_a_token_with_its_times(expires_in: int | str) -> None:
    body = {**TOKEN, "expires_in": expires_in, "refresh_in": 1800}
    _, issued = conversation(answer(body))
    assert isinstance(issued, Issued)
    assert (issued.token.reveal(), issued.expires_in, issued.refresh_in) == ("the-token", 3599, 1800)
    assert "the-token" not in repr(issued)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b'{"access_tok',
        b"[]",
        b"<html>",
        {"expires_in": 1},
        {**TOKEN, "expires_in": None},
        {"access_token": ""},
    ],
)
def test_a_cut_off_answer_may_be_asked_for_again(body: Any) -> None:
    _, outcome = conversation(answer(body))
    assert isinstance(outcome, Busy)


@pytest.mark.parametrize("status", [408, 429, 500, 502, 503, 504])
def test_an_overloaded_service_is_busy_whatever_it_says(status: int) -> None:
    _, outcome = conversation(answer(b"<html>", status, retry_after="7"))
    assert isinstance(outcome, Busy)
    assert outcome.retry_after == "7"
    assert str(status) in outcome.reason


@pytest.mark.parametrize(
    "body",
    [
        {"error": "temporarily_unavailable"},
        {"error": "invalid_grant", "error_codes": [50196]},
        {"error": "invalid_request", "error_description": "AADSTS90055: Too many requests."},
    ],
)
def test_throttling_is_known_by_its_code_as_well(body: Any) -> None:
    _, outcome = conversation(answer(body, 400))
    assert isinstance(outcome, Busy)


def test_further_statuses_can_be_declared_busy() -> None:
    _, outcome = conversation(answer(b"", 418), busy_statuses=frozenset({418}))
    assert isinstance(outcome, Busy)


def refused(body: Any, status: int = 401, **headers: str) -> AuthenticationError:
    flow = token_flow(asked())
    next(flow)
    with pytest.raises(AuthenticationError) as caught:
        flow.send(answer(body, status, **headers))
    return caught.value


def test_a_refusal_carries_what_support_asks_for_and_what_to_do() -> None:
    error = refused(
        {
            "error": "invalid_client",
            "error_description": "AADSTS700016: Application 'x' was not found.\r\n"
            "Trace ID: a\r\nCorrelation ID: b",
            "error_codes": [700016],
            "trace_id": "trace-1",
            "correlation_id": "correlation-9",
        }
    )
    assert (error.aadsts, error.trace_id, error.correlation_id) == (700016, "trace-1", "correlation-9")
    assert "AADSTS700016: Application 'x' was not found. Trace ID: a Correlation ID: b" in str(error)
    assert error.remedy is not None
    assert error.remedy in str(error)
    assert json.loads(json.dumps(error.as_dict()))["aadsts"] == 700016


def test_ids_come_from_headers_and_request_where_the_body_has_none() -> None:
    error = refused({"error": "invalid_client"}, x_ms_request_id="trace-2")
    assert (error.aadsts, error.trace_id, error.correlation_id) == (None, "trace-2", "correlation-1")


@pytest.mark.parametrize("status", [302, 400, 403, 407, 418])
def test_an_answer_of_somebody_else_is_called_that(status: int) -> None:
    error = refused(b"<html>blocked</html>", status, content_type="text/html")
    assert error.code == "unexpected-answer"
    assert "text/html" in error.message


def test_capabilities_are_merged_into_a_challenge() -> None:
    challenge = '{"access_token":{"nbf":{"essential":true,"value":"1"}}}'
    merged = merge_claims(challenge, enable_cae=True)
    assert merged is not None
    assert json.loads(merged) == {
        "access_token": {"nbf": {"essential": True, "value": "1"}, "xms_cc": {"values": ["CP1"]}}
    }
    assert merge_claims(None, enable_cae=False) is None
    assert json.loads(merge_claims(None, enable_cae=True) or "") == {
        "access_token": {"xms_cc": {"values": ["CP1"]}}
    }


@given(st.one_of(st.text(max_size=40), st.recursive(st.none(), st.lists).map(json.dumps)))
def test_any_claims_are_merged_or_our_error(claims: str) -> None:
    with contextlib.suppress(AuthenticationError):
        merge_claims(claims, enable_cae=True)


@given(
    st.integers(200, 599),
    st.binary(max_size=200),
    st.dictionaries(st.sampled_from(["retry-after"]), st.text(max_size=9)),
)
def test_any_answer_is_a_token_busy_or_our_error(status: int, body: bytes, headers: dict[str, str]) -> None:
    flow = token_flow(asked())
    next(flow)
    with pytest.raises((StopIteration, AuthenticationError)):
        flow.send(Response(status, headers, body))
