"""Both channels do a flow's steps in the same way, and no foreign error leaves them."""

from __future__ import annotations

import asyncio
import contextvars
import socket
import threading
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

import pytest

from azcert.errors import ConfigurationError, TransportError
from azcert.wire.async_ import AsyncChannel
from azcert.wire.keywords import KEYWORDS, check_keywords
from azcert.wire.message import LongFlow, Pause, Request, Response, Work
from azcert.wire.sync import Channel
from support.token_endpoint import Answer, TokenEndpoint, serve

if TYPE_CHECKING:
    from pathlib import Path

Runner = Callable[[LongFlow[Any], dict[str, Any]], Any]


def run_sync(flow: LongFlow[Any], options: dict[str, Any]) -> Any:
    channel = Channel(options)
    try:
        return channel.run(flow)
    finally:
        channel.close()


def run_async(flow: LongFlow[Any], options: dict[str, Any]) -> Any:
    async def main() -> Any:
        channel = AsyncChannel(options)
        try:
            return await channel.run(flow)
        finally:
            await channel.close()
            # asyncio lets go of a broken TLS connection in the next rounds of its loop.
            await asyncio.sleep(0.05)

    return asyncio.run(main())


BOTH = [run_sync, run_async]


@pytest.fixture
def served(tmp_path: Path) -> Iterator[tuple[TokenEndpoint, dict[str, Any]]]:
    with serve(tmp_path) as (endpoint, ca):
        yield endpoint, {"connection_verify": ca}


def ask(endpoint: TokenEndpoint, **fields: Any) -> LongFlow[Response]:
    response: Response = yield Request(
        "POST", f"{endpoint.authority}/t", {"X-Name": "value"}, b"a=b", **fields
    )
    return response


@pytest.mark.parametrize("run", BOTH)
def test_a_response_is_a_plain_value_with_lower_case_headers(
    served: tuple[TokenEndpoint, dict[str, Any]], run: Runner
) -> None:
    endpoint, options = served
    endpoint.script.append(Answer(418, {"error": "teapot"}, {"X-Thing": "1"}))
    response = run(ask(endpoint), options)
    assert (response.status, response.headers["x-thing"]) == (418, "1")
    assert response.json() == {"error": "teapot"}
    assert endpoint.seen[0].headers["x-name"] == "value"
    assert endpoint.seen[0].body == b"a=b"


@pytest.mark.parametrize("run", BOTH)
def test_redirects_are_not_followed_with_a_secret_in_the_body(
    served: tuple[TokenEndpoint, dict[str, Any]], run: Runner
) -> None:
    endpoint, options = served
    endpoint.script.append(Answer(307, {}, {"Location": "https://localhost:1/elsewhere"}))
    assert run(ask(endpoint), options).status == 307


@pytest.mark.parametrize("run", BOTH)
@pytest.mark.parametrize("broken", ["reset", "half"])
def test_a_broken_conversation_is_a_retryable_transport_error(
    served: tuple[TokenEndpoint, dict[str, Any]], run: Runner, broken: str
) -> None:
    endpoint, options = served
    endpoint.script.append(Answer(200, {"x": "y" * 1000}, broken=broken))
    with pytest.raises(TransportError) as caught:
        run(ask(endpoint), options)
    assert caught.value.code == "connection"
    assert caught.value.details["retryable"]
    assert len(endpoint.seen) == 1, "the pipeline itself repeats nothing"


@pytest.mark.parametrize("run", BOTH)
def test_a_late_answer_is_a_timeout(served: tuple[TokenEndpoint, dict[str, Any]], run: Runner) -> None:
    endpoint, options = served
    endpoint.script.append(Answer(delay=0.3))

    def flow() -> LongFlow[None]:
        try:
            yield from ask(endpoint, timeout=0.1)
        finally:
            # asyncio lets go of a TLS connection only when the other end has said goodbye.
            yield Pause(0.5)

    with pytest.raises(TransportError) as caught:
        run(flow(), options)
    assert caught.value.code == "timeout"


@pytest.mark.parametrize("run", BOTH)
@pytest.mark.parametrize("broken", ["trickle", "trickle-head"])
def test_an_answer_that_trickles_is_a_timeout(
    served: tuple[TokenEndpoint, dict[str, Any]], run: Runner, broken: str
) -> None:
    endpoint, options = served
    endpoint.script += [Answer(), Answer(body=b"x" * 1000, broken=broken)]

    def connected() -> LongFlow[Response]:
        # On a busy machine the limit would be over before the handshake is.
        yield from ask(endpoint)
        try:
            return (yield from ask(endpoint, timeout=0.4))
        finally:
            # Whatever was given up ends before the channel is closed.
            endpoint.trickles.set()
            yield Pause(0.3)

    with pytest.raises(TransportError) as caught:
        run(connected(), options)
    assert caught.value.code == "timeout"
    assert caught.value.details["retryable"]


def test_a_request_with_a_limit_sees_what_its_caller_has_set(
    served: tuple[TokenEndpoint, dict[str, Any]],
) -> None:
    endpoint, options = served
    seen: list[str] = []
    team = contextvars.ContextVar("team", default="nobody's")
    team.set("ours")
    hook = {"raw_request_hook": lambda _: seen.append(team.get())}
    run_sync(ask(endpoint, timeout=5.0), options | hook)
    assert seen == ["ours"]


@pytest.mark.parametrize("run", BOTH)
def test_an_untrusted_certificate_is_named_and_not_worth_another_try(
    served: tuple[TokenEndpoint, dict[str, Any]], run: Runner
) -> None:
    endpoint, _ = served
    with pytest.raises(TransportError, match="could not be verified") as caught:
        run(ask(endpoint), {})
    assert caught.value.code == "tls-untrusted"
    assert not caught.value.details["retryable"]


@pytest.mark.parametrize("run", BOTH)
@pytest.mark.parametrize(
    ("host", "code"), [("no-such-host.invalid", "name-not-resolved"), ("127.0.0.1:{free}", "connection")]
)
def test_a_host_that_is_not_there_is_told_apart(run: Runner, host: str, code: str) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        url = f"https://{host.format(free=free.getsockname()[1])}/"

        def flow() -> LongFlow[Any]:
            return (yield Request("GET", url))

        with pytest.raises(TransportError) as caught:
            run(flow(), {})
    assert caught.value.code == code


@pytest.mark.parametrize("run", BOTH)
@pytest.mark.parametrize("greeting", [b"", b"HTTP/1.1 400 This is not TLS\r\n\r\n"])
def test_a_handshake_that_breaks_is_worth_another_try(run: Runner, greeting: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        url = f"https://127.0.0.1:{server.getsockname()[1]}/"

        def answer() -> None:
            with server.accept()[0] as connection:
                connection.recv(1)
                connection.sendall(greeting)

        thread = threading.Thread(target=answer)
        thread.start()

        def flow() -> LongFlow[Any]:
            return (yield Request("GET", url, timeout=10))

        with pytest.raises(TransportError) as caught:
            run(flow(), {})
        thread.join()
    assert caught.value.code == "connection"
    assert caught.value.details["retryable"]


@pytest.mark.parametrize("run", BOTH)
def test_a_flow_may_catch_what_went_wrong_and_go_on(
    served: tuple[TokenEndpoint, dict[str, Any]], run: Runner
) -> None:
    endpoint, options = served
    endpoint.script.append(Answer(broken="reset"))

    def flow() -> LongFlow[int]:
        try:
            yield from ask(endpoint)
        except TransportError:
            yield Pause(0.0)
        response = yield from ask(endpoint)
        return response.status

    assert run(flow(), options) == 200


def test_blocking_work_leaves_the_event_loops_thread_and_other_work_does_not() -> None:
    def flow() -> LongFlow[tuple[int, int]]:
        blocking: int = yield Work(threading.get_ident, blocking=True)
        quick: int = yield Work(threading.get_ident, blocking=False)
        return blocking, quick

    here = threading.get_ident()
    assert run_sync(flow(), {}) == (here, here)
    blocking, quick = run_async(flow(), {})
    assert blocking != here
    assert quick == here


def test_an_unknown_keyword_is_refused_with_the_nearest_known_one() -> None:
    check_keywords({"transport": None}, known=KEYWORDS, what="X")
    with pytest.raises(ConfigurationError, match="Did you mean 'transport'") as caught:
        check_keywords({"transprot": None}, known=KEYWORDS, what="X")
    assert caught.value.code == "unknown-keyword"
    with pytest.raises(ConfigurationError, match="Its documentation"):
        check_keywords({"zzz": None}, known=KEYWORDS, what="X")
