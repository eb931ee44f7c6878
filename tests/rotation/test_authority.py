"""The next certificate from an authority: asked for, waited for, taken, in each place."""

from __future__ import annotations

import datetime as dt
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from azcert._redact import Secret
from azcert.certificate import formats, writers
from azcert.certificate.issue import self_signed
from azcert.certificate.model import Certificate
from azcert.credential.sync import CertificateCredential
from azcert.errors import AzcertError
from azcert.rotation.plan import Step
from azcert.rotation.successor import Answer
from azcert.sources.open import open_source
from azcert.stores.directory.store import DirectoryStore
from azcert.stores.dotnet import DotnetStore
from azcert.stores.names import Location, StoreName
from support.authority import Authority
from support.emulated import certificate, rsa_key
from support.rotating import SCOPE, make_certificate, register, registered, rotation, sign_in

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from azcert.emulator.fixture import AzcertEmulator
    from support.softhsm import SoftHsm
    from support.swtpm import Swtpm

MY = StoreName(Location.CURRENT_USER, "My")


class Killed(BaseException):
    """Stands for kill -9: nothing may catch it."""


def killed_at(stop: Step) -> Callable[[Step], None]:
    def told(step: Step) -> None:
        if step is stop:
            raise Killed

    return told


def answer_to(authority: Authority, request: str | None, form: str = "p7b", **more: Any) -> Answer:
    assert request is not None
    file = authority.answer(request, form, **more)
    return Answer(file.read_bytes(), file.name)


def in_use(source: str) -> Certificate:
    found = open_source(source).load()
    found.signer.close()
    return found.certificate


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority(tmp_path / "authority")


@pytest.fixture
def old(authority: Authority) -> Certificate:
    """The certificate in use: an hour old, of the same authority."""
    return Certificate(
        certificate(rsa_key(0), name="app", issuer=authority.signs), (authority.issuing, authority.root)
    )


@pytest.fixture
def work(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    folder.mkdir()
    return folder


@pytest.fixture
def source(azcert_environment: AzcertEmulator, tmp_path: Path, old: Certificate) -> Path:
    """A PEM file with it, registered."""
    path = tmp_path / "app.pem"
    path.touch(0o600)
    path.write_bytes(writers.pem(rsa_key(0), old))
    register(azcert_environment, old)
    return path


def rotate_through(
    emulator: AzcertEmulator, authority: Authority, source: str, work: Path, form: str = "p7b"
) -> Certificate:
    """Ask, answer, go on; the chain is in the place afterwards, and is sent on request."""
    before = registered(emulator)
    asked = rotation(emulator, source, work, by_authority=True)
    assert asked.run(force=True) is Step.ANSWER
    request = asked.request()
    again = rotation(emulator, source, work)
    assert again.run() is Step.ANSWER, "it waits, however often it is run"
    assert again.request() == request
    assert registered(emulator) == before
    sign_in(emulator, source)
    answer = answer_to(authority, request, form)
    assert rotation(emulator, source, work).run(answer=answer) is Step.DONE
    new = in_use(source)
    assert registered(emulator) == {new.thumbprint} != before
    if form != "der":
        assert new.chain == (authority.issuing, authority.root)
        with CertificateCredential(
            emulator.tenant_id, emulator.client_id, certificate=source, send_certificate_chain=True
        ) as credential:
            credential.get_token(SCOPE)
        assert len(emulator.record[-1]["assertion"]["header"]["x5c"]) == 3
    sign_in(emulator, source)
    assert rotation(emulator, source, work).run(answer=answer) is Step.DONE, "it is in use already"
    return new


@pytest.mark.parametrize("form", ["p7b", "pem", "der"])
def test_in_a_file(
    azcert_environment: AzcertEmulator, authority: Authority, source: Path, work: Path, form: str
) -> None:
    new = rotate_through(azcert_environment, authority, str(source), work, form)
    assert new.issuer == "CN=issuing"
    assert source.stat().st_mode & 0o777 == 0o600
    assert not source.with_name("app.pem.next").exists()


def test_in_a_pkcs12_file_with_a_password(
    azcert_environment: AzcertEmulator,
    authority: Authority,
    old: Certificate,
    tmp_path: Path,
    work: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PFX_WORD", "correct horse")
    path = tmp_path / "app.pfx"
    path.touch(0o600)
    path.write_bytes(writers.pkcs12(rsa_key(0), old, password=Secret("correct horse")))
    register(azcert_environment, old)
    rotate_through(azcert_environment, authority, f"file:{path}?password-env=PFX_WORD", work)
    assert formats.load(path.read_bytes(), password=Secret("correct horse"), name="").form.startswith(
        "PKCS#12"
    )


def test_in_a_store(
    azcert_environment: AzcertEmulator,
    authority: Authority,
    old: Certificate,
    tmp_path: Path,
    work: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AZCERT_STORE_ROOT", str(tmp_path / "stores"))
    store = DirectoryStore(MY)
    store.add(old, rsa_key(0))
    register(azcert_environment, old)
    rotate_through(azcert_environment, authority, "store:CurrentUser/My?subject=app", work)
    assert len(store.entries()) == 1


def test_in_dotnet_s_store(
    azcert_environment: AzcertEmulator,
    authority: Authority,
    old: Certificate,
    tmp_path: Path,
    work: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    store = DotnetStore(MY)
    store.add(old, rsa_key(0))
    register(azcert_environment, old)
    rotate_through(azcert_environment, authority, "dotnet:CurrentUser/My?subject=app", work)
    assert len(store.entries()) == 1


def test_in_a_token(
    azcert_environment: AzcertEmulator, authority: Authority, softhsm: SoftHsm, pin_file: Path, work: Path
) -> None:
    name = softhsm.uri("spare", "authority", pin_file=pin_file)
    register(azcert_environment, make_certificate(name))
    rotate_through(azcert_environment, authority, name, work)


def test_in_a_tpm(
    azcert_environment: AzcertEmulator, authority: Authority, swtpm: Swtpm, tmp_path: Path, work: Path
) -> None:
    name = f"tpm:{tmp_path / 'app.pem'}?tcti={swtpm.tcti}"
    register(azcert_environment, make_certificate(name))
    rotate_through(azcert_environment, authority, name, work)


@pytest.mark.parametrize(
    "stop", [Step.REQUEST, Step.ANSWER, Step.REGISTER, Step.PROVE, Step.SWITCH, Step.RETIRE, Step.DONE]
)
def test_stopped_before_any_step_it_signs_in_and_the_next_run_ends_well(
    azcert_environment: AzcertEmulator, authority: Authority, source: Path, work: Path, stop: Step
) -> None:
    def run(told: Callable[[Step], None] | None) -> None:
        first = rotation(azcert_environment, str(source), work, by_authority=True, told=told)
        assert first.run(force=True) is Step.ANSWER
        answer = answer_to(authority, first.request())
        assert rotation(azcert_environment, str(source), work, told=told).run(answer=answer) is Step.DONE

    with pytest.raises(Killed):
        run(killed_at(stop))
    sign_in(azcert_environment, str(source))
    if stop in {Step.REQUEST, Step.ANSWER}:
        run(None)
    else:
        assert rotation(azcert_environment, str(source), work).run() is Step.DONE, "the answer is kept"
    sign_in(azcert_environment, str(source))
    used = in_use(str(source))
    assert registered(azcert_environment) == {used.thumbprint}
    assert used.issuer == "CN=issuing"
    assert [path.name for path in source.parent.iterdir() if path.is_file()] == ["app.pem"]


def test_an_abort_takes_the_waiting_key_away(
    azcert_environment: AzcertEmulator, source: Path, work: Path
) -> None:
    before = source.read_bytes()
    rotation(azcert_environment, str(source), work, by_authority=True).run(force=True)
    assert source.with_name("app.pem.next").exists()
    assert rotation(azcert_environment, str(source), work).abort() is True
    assert not source.with_name("app.pem.next").exists()
    assert source.read_bytes() == before
    sign_in(azcert_environment, str(source))


def test_a_request_whose_key_is_gone_is_made_again(
    azcert_environment: AzcertEmulator, source: Path, work: Path
) -> None:
    first = rotation(azcert_environment, str(source), work, by_authority=True)
    first.run(force=True)
    before = first.request()
    source.with_name("app.pem.next").unlink()
    steps: list[Step] = []
    again = rotation(azcert_environment, str(source), work, by_authority=True, told=steps.append)
    assert again.run(force=True) is Step.ANSWER
    assert steps == [Step.UNDO, Step.REQUEST, Step.ANSWER]
    assert again.request() != before


def test_an_authority_may_follow_a_self_signed_certificate_and_all_names_are_asked_for(
    azcert_environment: AzcertEmulator, authority: Authority, tmp_path: Path, work: Path
) -> None:
    path = tmp_path / "app.pem"
    path.touch(0o600)
    names = ("app.contoso.com", "10.0.0.1", "https://app.contoso.com/", "app@contoso.com")
    before = self_signed(
        rsa_key(0), subject="CN=app,O=Contoso", alternative_names=names, now=dt.datetime.now(dt.UTC)
    )
    path.write_bytes(writers.pem(rsa_key(0), before))
    register(azcert_environment, before)
    new = rotate_through(azcert_environment, authority, str(path), work)
    assert new.leaf.subject == before.leaf.subject
    asked, had = (
        each.leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
        for each in (new, before)
    )
    assert list(asked) == list(had)
    assert len(list(had)) == len(names)


def refused(run: Callable[[], object], code: str) -> str:
    with pytest.raises(AzcertError) as caught:
        run()
    assert caught.value.code == code, caught.value
    return str(caught.value)


def test_an_answer_that_does_not_belong_is_refused_and_the_wait_goes_on(
    azcert_environment: AzcertEmulator, authority: Authority, source: Path, work: Path, old: Certificate
) -> None:
    def run(answer: Answer | None, *, ask: bool = False) -> Step | None:
        run = rotation(azcert_environment, str(source), work, by_authority=ask)
        return run.run(force=True, answer=answer)

    foreign = Answer(writers.public_pem(old), "old.pem")
    other = Answer(certificate(rsa_key(3)).public_bytes(Encoding.PEM), "other.pem")
    said = refused(partial(run, other), "nothing-asked")
    assert f"azcert rotate {source} --csr FILE" in said
    assert run(None, ask=True) is Step.ANSWER
    for wrong in (foreign, other):
        said = refused(partial(run, wrong), "key-mismatch")
        assert wrong.name in said
    refused(lambda: run(Answer(b"no certificate", "junk")), "unrecognized")
    assert run(None) is Step.ANSWER
    request = rotation(azcert_environment, str(source), work).request()
    answer = answer_to(authority, request)
    with pytest.raises(Killed):
        rotation(azcert_environment, str(source), work, told=killed_at(Step.PROVE)).run(answer=answer)
    said = refused(partial(run, other), "answered-already")
    assert "other.pem does not hold" in said
    assert run(answer) is Step.DONE


def test_a_self_signed_rotation_that_has_begun_is_not_turned_into_a_request(
    azcert_environment: AzcertEmulator, tmp_path: Path, work: Path
) -> None:
    path = tmp_path / "app.pem"
    path.write_bytes(azcert_environment.certificate_path.read_bytes())
    path.chmod(0o600)
    with pytest.raises(Killed):
        rotation(azcert_environment, str(path), work, told=killed_at(Step.PROVE)).run(force=True)
    said = refused(rotation(azcert_environment, str(path), work, by_authority=True).run, "begun-otherwise")
    assert "--abort" in said
    assert rotation(azcert_environment, str(path), work).run() is Step.DONE


def test_a_certificate_that_a_store_would_not_give_is_refused_before_it_is_registered(
    azcert_environment: AzcertEmulator,
    authority: Authority,
    tmp_path: Path,
    work: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("AZCERT_STORE_ROOT", str(tmp_path / "stores"))
    name = "store:CurrentUser/My?subject=app"
    hour_ago = dt.datetime.now(dt.UTC) - dt.timedelta(hours=1)
    young = Certificate(certificate(rsa_key(0), name="app", start=hour_ago, days=90))
    DirectoryStore(MY).add(young, rsa_key(0))
    register(azcert_environment, young)
    asked = rotation(azcert_environment, name, work, by_authority=True)
    asked.run(force=True)
    earlier = hour_ago - dt.timedelta(seconds=1)
    for more, found in (
        ({"subject": "/CN=another"}, "CN=another"),
        ({"start": earlier}, "would go on to give"),
    ):
        answer = answer_to(authority, asked.request(), **more)
        waiting = rotation(azcert_environment, name, work)
        said = refused(partial(waiting.run, answer=answer), "not-chosen")
        assert found in said
    assert registered(azcert_environment) == {young.thumbprint}


def test_a_certificate_of_another_name_is_not_put_into_a_token(
    azcert_environment: AzcertEmulator, authority: Authority, softhsm: SoftHsm, pin_file: Path, work: Path
) -> None:
    name = softhsm.uri("spare", "named", pin_file=pin_file)
    register(azcert_environment, make_certificate(name))
    asked = rotation(azcert_environment, name, work, by_authority=True)
    asked.run(force=True)
    answer = answer_to(authority, asked.request(), subject="/CN=another")
    refused(lambda: rotation(azcert_environment, name, work).run(answer=answer), "other-subject")
    sign_in(azcert_environment, name)
    assert rotation(azcert_environment, name, work).abort() is True
