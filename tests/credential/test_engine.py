"""What the engine decides, scene by scene, in virtual time."""

from __future__ import annotations

import asyncio
import json
import logging
import threading
from typing import TYPE_CHECKING, Any, TypeVar

import pytest

from azcert.aio import CertificateCredential
from azcert.credential.events import Counters, Event, EventKind
from azcert.errors import AuthenticationError, SigningError
from support.shelf import Shelf, certificates, digest_of
from support.token_endpoint import CLIENT, SCOPE, TENANT
from support.virtual import Reply, Service, ServiceTransport, VirtualLoop

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

T = TypeVar("T")
OTHER = "contoso.onmicrosoft.com"


class Scene:
    def __init__(self, **arguments: Any) -> None:
        self.loop = VirtualLoop()
        self.service = Service(self.loop)
        self.shelf = Shelf()
        self.counters = Counters()
        self.credential = CertificateCredential(
            TENANT,
            CLIENT,
            certificate=self.shelf,
            additionally_allowed_tenants=["*"],
            transport=ServiceTransport(self.service),
            clock=self.loop.clock(),
            **({"on_event": self.counters} | arguments),
        )

    def run(self, job: Awaitable[T]) -> T:
        async def awaited() -> T:
            return await job

        return self.loop.run(awaited())

    def token(self, scope: str = SCOPE, **keywords: Any) -> str:
        return self.run(self.credential.get_token(scope, **keywords)).token

    def error(self, scope: str = SCOPE, **keywords: Any) -> AuthenticationError:
        with pytest.raises(AuthenticationError) as caught:
            self.token(scope, **keywords)
        return caught.value

    def wait(self, seconds: float) -> None:
        self.run(asyncio.sleep(seconds))

    @property
    def requests(self) -> int:
        return len(self.service.asked)


@pytest.fixture
def make_scene(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[..., Scene]]:
    monkeypatch.delenv("REGION_NAME", raising=False)
    scenes: list[Scene] = []

    def make(**arguments: Any) -> Scene:
        scenes.append(Scene(**arguments))
        return scenes[-1]

    yield make
    for scene in scenes:
        scene.run(scene.credential.close())
        scene.loop.close()


@pytest.fixture
def scene(make_scene: Callable[..., Scene]) -> Scene:
    return make_scene()


def test_a_token_near_its_end_is_renewed_without_delaying_anyone(scene: Scene) -> None:
    first = scene.token()
    scene.wait(3000)
    began = scene.loop.time()
    assert scene.token() == first
    assert scene.loop.time() == began, "the caller did not wait"
    assert scene.token() == first, "nor did the next one, while the refresh is under way"
    scene.wait(1)
    assert scene.token() != first
    assert scene.requests == 2
    assert scene.counters.count(EventKind.REFRESH) == 1


def test_a_failing_refresh_leaves_the_good_token_to_its_end(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    first = scene.token()
    scene.service.mode = "503"
    asked, began = scene.requests, scene.loop.time()
    with caplog.at_level(logging.WARNING, "azcert"):
        while scene.loop.time() < 3595:
            assert scene.token() == first
            scene.wait(1)
    # Twelve minutes and a twentieth: tries after a half to whole 30, 60, 120, 240, 300, 300 s.
    assert 4 <= scene.requests - asked <= 12, scene.loop.time() - began
    # Other tests' credentials may be finishing a refresh in threads of theirs.
    mine = [record for record in caplog.records if record.thread == threading.get_ident()]
    lines = [record for record in mine if "renewed ahead of time" in record.getMessage()]
    assert len(lines) == scene.requests - asked, "one line per pause"
    assert first not in caplog.text
    scene.wait(10)
    assert "tried" in scene.error().message
    scene.service.mode = "ok"
    scene.wait(60)
    assert scene.token() != first


def test_a_thousand_tokens_in_an_outage_do_not_flood_the_log(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scopes = [f"api://{number}/.default" for number in range(200)]
    for scope in scopes:
        scene.token(scope)
    scene.service.mode = "503"
    scene.wait(3100)
    with caplog.at_level(logging.WARNING, "azcert"):
        for scope in scopes:
            scene.token(scope)
        scene.wait(1)
    assert len(caplog.records) == 1


def test_retry_after_is_obeyed_by_all_callers_of_that_tenant(scene: Scene) -> None:
    scene.service.mode, scene.service.retry_after = "429", "20"
    waiting = [scene.loop.create_task(scene.credential.get_token(f"api://{n}/.default")) for n in range(30)]
    scene.wait(15)
    asked = scene.requests
    assert asked <= 30, "at most those that were under way when the answer came"
    scene.service.mode = "ok"
    scene.wait(15)
    assert all(task.done() and not task.exception() for task in waiting)
    # One probe went first.
    times = sorted(moment for moment, _, _ in scene.service.asked[asked:])
    assert times[0] >= 20
    assert times[1] >= times[0] + scene.service.latency


def test_a_long_retry_after_fails_at_once_and_says_until_when(scene: Scene) -> None:
    scene.service.mode, scene.service.retry_after = "429", "7200"
    error = scene.error()
    assert scene.loop.time() < 1
    assert error.details["retry_at"] == pytest.approx(scene.service.now() + 7200, abs=1)
    assert "HTTP 429" in error.message
    asked = scene.requests
    scene.service.mode = "ok"
    assert "not tried now" in scene.error("api://other/.default").message
    assert scene.requests == asked, "other callers of the tenant fail without a request"
    assert scene.token(tenant_id=OTHER), "other tenants are not concerned"
    scene.wait(7200)
    assert scene.token()


@pytest.mark.parametrize("mode", ["503", "reset", "dns", "half"])
def test_an_outage_is_not_hammered_whatever_the_demand(scene: Scene, mode: str) -> None:
    scene.service.mode = mode
    scene.service.latency = 0.02

    async def demand(number: int) -> None:
        while scene.loop.time() < 900:
            with pytest.raises(AuthenticationError):
                await scene.credential.get_token(f"api://{number}/.default")
            await asyncio.sleep(0.5)

    async def crowd() -> None:
        await asyncio.gather(*[demand(number) for number in range(20)])

    scene.run(crowd())
    # The twenty that went out together, then one probe at a time, 15 to 30 s apart after the first six.
    assert scene.requests <= 20 + 6 + 900 / 15


def test_after_an_outage_everybody_is_served_at_once(scene: Scene) -> None:
    scene.service.mode = "503"
    scene.error()
    scene.service.mode = "ok"
    scene.wait(31)
    began = scene.loop.time()

    async def crowd() -> None:
        await asyncio.gather(*[scene.credential.get_token(f"api://{n}/.default") for n in range(50)])

    scene.run(crowd())
    assert scene.loop.time() - began < 1


@pytest.mark.parametrize("skew", [-90000.0, -400.0, 700.0, 7200.0])
def test_a_wrong_clock_is_noticed_corrected_and_said_once(
    scene: Scene, skew: float, caplog: pytest.LogCaptureFixture
) -> None:
    scene.service.skew = skew
    with caplog.at_level(logging.WARNING, "azcert"):
        assert scene.token()
        assert scene.token("api://other/.default")
        assert scene.token(tenant_id=OTHER)
    assert scene.requests <= 4, "only the first assertion had the wrong time"
    assert len([one for one in caplog.records if "clock" in one.getMessage()]) == 1


def test_a_clock_that_is_about_right_is_not_mentioned(scene: Scene, caplog: pytest.LogCaptureFixture) -> None:
    scene.service.skew = 5
    scene.service.latency = 25
    with caplog.at_level(logging.WARNING, "azcert"):
        scene.token()
    assert not caplog.records


def test_one_signature_serves_many_tokens_for_nine_minutes(scene: Scene) -> None:
    for number in range(20):
        scene.token(f"api://{number}/.default")
    assert scene.shelf.signatures == 1
    scene.token(tenant_id=OTHER)
    assert scene.shelf.signatures == 2, "another audience, another assertion"
    scene.wait(541)
    scene.token("api://late/.default")
    assert scene.shelf.signatures == 3
    assert scene.counters.count(EventKind.SIGNED) == 3


def test_an_assertion_is_never_reused_for_another_certificate(scene: Scene) -> None:
    scene.service.registered = lambda digest: digest == digest_of(certificates()[0])
    scene.token()
    scene.shelf.put(1)
    scene.service.registered = lambda digest: digest == digest_of(certificates()[1])
    scene.token("api://other/.default")
    assert [signer.signed for signer in scene.shelf.signers] == [1, 1]


def test_a_renewed_certificate_is_used_from_the_next_request_on(scene: Scene) -> None:
    used: list[str] = []

    def note(digest: str) -> bool:
        used.append(digest)
        return True

    scene.service.registered = note
    first = scene.token()
    scene.shelf.put(1)
    assert scene.token() == first, "a token stays good"
    scene.token("api://other/.default")
    assert used == [digest_of(certificates()[0]), digest_of(certificates()[1])]
    assert scene.shelf.signers[0].closed
    assert not scene.shelf.signers[1].closed


def test_a_broken_renewal_keeps_the_old_certificate_and_says_so_once(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.token()
    scene.shelf.put()
    with caplog.at_level(logging.WARNING, "azcert"):
        scene.token("api://1/.default")
        scene.token("api://2/.default")
    assert len(caplog.records) == 1
    assert "shelf changed and cannot be used: The shelf is empty." in caplog.text
    scene.shelf.put(1)
    scene.token("api://3/.default")
    assert [signer.signed for signer in scene.shelf.signers] == [1, 1]


def test_the_old_certificate_bridges_until_the_new_one_is_registered(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    known = {digest_of(certificates()[0])}
    scene.service.registered = known.__contains__
    scene.token()
    scene.shelf.put(1)
    with caplog.at_level(logging.WARNING, "azcert"):
        assert scene.token("api://1/.default")
    assert "(AADSTS700027); trying certificate " + certificates()[0].thumbprint in caplog.text
    asked = scene.requests
    assert scene.token("api://2/.default")
    assert scene.requests == asked + 1, "the new one is passed over for a while"
    known.add(digest_of(certificates()[1]))
    scene.wait(301)
    scene.token("api://3/.default")
    assert scene.shelf.signers[-1].certificate is certificates()[1]
    assert scene.shelf.signers[-1].signed == 1


def test_a_rejected_certificate_is_replaced_by_another_of_its_source_once(scene: Scene) -> None:
    scene.shelf.put(0, 1, 2)
    scene.service.registered = lambda digest: digest == digest_of(certificates()[1])
    assert scene.token()
    assert scene.requests == 2
    scene.service.registered = lambda digest: digest == "none"
    assert scene.error("api://1/.default").aadsts == 700027
    assert scene.requests == 4, "one other was tried, not all"


def test_without_another_certificate_the_refusal_is_told_as_it_is(scene: Scene) -> None:
    scene.service.registered = lambda digest: digest == "none"
    error = scene.error()
    assert error.aadsts == 700027
    assert error.remedy is not None
    assert scene.requests == 1


def test_a_key_destroyed_after_its_certificate_was_chosen_is_replaced_by_what_the_source_has_now(
    scene: Scene, caplog: pytest.LogCaptureFixture
) -> None:
    scene.token()
    scene.wait(600)
    # Rotated in place, at a source that notices only when it is asked again.
    scene.shelf.order = [1]
    scene.shelf.signers[0].destroyed = True
    with caplog.at_level(logging.WARNING, "azcert"):
        assert scene.token("api://1/.default")
    assert [signer.signed for signer in scene.shelf.signers] == [1, 1]
    (line,) = [record.getMessage() for record in caplog.records]
    assert certificates()[0].thumbprint in line
    assert f"(The key is gone.); trying certificate {certificates()[1].thumbprint}" in line
    assert scene.token("api://2/.default"), "and stays in use"
    assert len(scene.shelf.signers) == 2


def test_a_key_that_does_not_sign_is_looked_for_anew_then_passed_over(scene: Scene) -> None:
    scene.shelf.order = [0, 1]
    scene.token()
    scene.wait(600)

    def load_broken(*, skip: frozenset[str] = frozenset()) -> Any:
        found = load(skip=skip)
        found.signer.destroyed = found.certificate is certificates()[0]  # type: ignore[attr-defined]
        return found

    load = scene.shelf.load
    scene.shelf.load = load_broken  # type: ignore[method-assign]
    scene.shelf.signers[0].destroyed = True
    assert scene.token("api://1/.default")
    assert [signer.signed for signer in scene.shelf.signers] == [1, 0, 1]


def test_without_another_key_the_failure_to_sign_is_told_and_passes_with_its_cause(scene: Scene) -> None:
    scene.token()
    scene.wait(600)
    scene.shelf.signers[0].destroyed = True
    scene.shelf.order = []
    with pytest.raises(SigningError, match=r"The key is gone\."):
        scene.token("api://1/.default")
    scene.shelf.order = [0]
    assert scene.token("api://1/.default")


def test_a_challenge_passes_by_the_cache_and_its_token_replaces_the_old_one(scene: Scene) -> None:
    first = scene.token(enable_cae=True)
    challenge = '{"access_token":{"nbf":{"essential":true,"value":"1"}}}'
    second = scene.token(enable_cae=True, claims=challenge)
    assert second != first
    assert scene.token(enable_cae=True) == second
    assert scene.token(enable_cae=True, claims=challenge) != second
    assert json.loads(scene.token())[3] is False, "without CAE it is another token"


def test_a_hook_that_fails_costs_a_line_and_no_token(
    make_scene: Callable[..., Scene], caplog: pytest.LogCaptureFixture
) -> None:
    def hook(_: Event) -> None:
        raise RuntimeError("no room for metrics")

    scene = make_scene(on_event=hook)
    with caplog.at_level(logging.WARNING, "azcert"):
        assert scene.token()
        assert scene.token("api://other/.default")
    assert [record.getMessage() for record in caplog.records] == [
        "The on_event hook failed: RuntimeError('no room for metrics')"
    ]


def test_bad_claims_cost_no_request(scene: Scene) -> None:
    assert scene.error(claims="{").code == "bad-claims"
    assert scene.requests == 0


def test_a_regional_endpoint_is_asked_first_and_left_when_it_fails(
    make_scene: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_REGIONAL_AUTHORITY_NAME", "westeurope")
    scene = make_scene()
    regional = f"https://westeurope.login.microsoft.com/{TENANT}/oauth2/v2.0/token"
    public = f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token"
    scene.service.audience = public
    scene.token()
    scene.service.mode = "503"
    failing = scene.loop.create_task(scene.credential.get_token("api://1/.default"))
    scene.wait(0.2)
    scene.service.mode = "ok"
    scene.run(failing)
    assert [url for _, url, _ in scene.service.asked] == [regional, regional, public]
    scene.token("api://2/.default")
    assert scene.service.asked[-1][1] == public
    scene.wait(600)
    scene.token("api://3/.default")
    assert scene.service.asked[-1][1] == regional


def test_a_region_that_is_not_open_to_the_application_is_left_at_once(
    make_scene: Callable[..., Scene], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_REGIONAL_AUTHORITY_NAME", "westeurope")
    scene = make_scene()
    scene.service.audience = f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token"
    scene.service.closed_hosts = {"westeurope.login.microsoft.com": 100007}
    assert scene.token()
    assert scene.requests == 2


@pytest.mark.parametrize(
    ("host_region", "metadata", "first"),
    [
        ("eastus", None, "eastus.login.microsoft.com"),
        ("", Reply(200, {}, b'{"location": "WestUS2"}'), "westus2.login.microsoft.com"),
        ("", Reply(404, {}, b""), "login.microsoftonline.com"),
        ("", None, "login.microsoftonline.com"),
    ],
)
def test_a_region_can_be_found_out(
    make_scene: Callable[..., Scene],
    monkeypatch: pytest.MonkeyPatch,
    host_region: str,
    metadata: Reply | None,
    first: str,
) -> None:
    monkeypatch.setenv("AZURE_REGIONAL_AUTHORITY_NAME", "TryAutoDetect")
    monkeypatch.setenv("REGION_NAME", host_region)
    scene = make_scene()
    scene.service.metadata = metadata
    scene.service.audience = f"https://login.microsoftonline.com/{TENANT}/oauth2/v2.0/token"
    scene.token()
    scene.token("api://1/.default")
    hosts = [url.split("/")[2] for _, url, _ in scene.service.asked]
    assert hosts == [first, first]


def test_retry_keywords_of_azure_core_mean_what_they_mean_there(make_scene: Callable[..., Scene]) -> None:
    for keywords, tries in (({"retry_total": 0}, 1), ({"retry_status": 1}, 2), ({"retry_total": 2}, 3)):
        scene = make_scene(**keywords)
        scene.service.mode = "500"
        assert scene.error().details["tries"] == tries
    scene = make_scene(retry_on_status_codes=[418], retry_mode="fixed", retry_backoff_factor=5)
    scene.service.mode = "418"
    assert scene.error().details["tries"] == 4
    assert 7.5 <= scene.loop.time() <= 16
    scene = make_scene(timeout=3)
    scene.service.mode = "500"
    scene.service.latency = 0.1
    scene.error()
    assert scene.loop.time() <= 3.2
