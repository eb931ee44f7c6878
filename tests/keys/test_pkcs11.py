"""A key in a real PKCS#11 token (SoftHSM) signs, stays there, and survives what happens to tokens."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import threading
from itertools import count
from pathlib import Path
from typing import TYPE_CHECKING

import pkcs11
import pytest
from pkcs11 import Attribute, KeyType

from azcert._redact import Secret
from azcert.certificate.issue import generate_key, self_signed
from azcert.certificate.proof import holds
from azcert.certificate.signer import Algorithm
from azcert.certificate.writers import public_pem
from azcert.errors import AccessError, AzcertError, ConfigurationError, SelectionError, SigningError
from azcert.keys.pkcs11.make import generate_key as generate_in_token
from azcert.keys.pkcs11.make import import_key, remove_certificates, store_certificate
from azcert.keys.pkcs11.module import find_module, load_module
from azcert.keys.pkcs11.objects import ObjectQuery
from azcert.keys.pkcs11.signer import Pkcs11Signer
from azcert.keys.pkcs11.token import Token, TokenQuery, open_token
from azcert.sources.open import open_source
from corpus.material import Material
from support.softhsm import MODULE, PIN, SoftHsm

if TYPE_CHECKING:
    from azcert.certificate.model import Certificate
    from support.p11_faults import Faults

NOW = dt.datetime.now(dt.UTC)
_numbers = count(1)


def new_name() -> ObjectQuery:
    """A label and id that no other test uses."""
    number = next(_numbers)
    return ObjectQuery(f"app-{number}", bytes([0xA0, number]))


def pin() -> Secret:
    return Secret(PIN)


def wrong_pin() -> Secret:
    return Secret("000000")


@pytest.fixture
def token(softhsm: SoftHsm) -> Token:
    return open_token(load_module(Path(MODULE)), TokenQuery(token="prod"))


@pytest.fixture
def faulty(softhsm: SoftHsm, faults: Faults) -> Token:
    """The same token behind the fault module, as a `Token` that has not logged in yet."""
    del softhsm
    module = load_module(faults.module)
    token = open_token(module, TokenQuery(token="prod"))
    # A fresh object: what one test's token refuses must not be remembered in the next.
    fresh = Token(module, TokenQuery(token="prod"), token.use(pin, lambda each: each.session.token, "look"))
    # A login is the process's: end that of the tests before.
    pkcs11.lib(MODULE).reinitialize()
    faults.ask()
    return fresh


def make(token: Token, key: ObjectQuery, *, days: int = 90, now: dt.datetime = NOW) -> Certificate:
    """A key generated in the token with a certificate beside it."""
    signer = generate_in_token(token, pin, key)
    certificate = self_signed(signer, subject=key.label or "", days=days, now=now)
    store_certificate(token, pin, key, certificate.leaf)
    signer.close()
    return certificate


def uri_of(key: ObjectQuery, *, on: str = "prod", module: Path | str = MODULE, more: str = "") -> str:
    return f"pkcs11:token={on};object={key.label}?module-path={module}{more}"


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_key_generated_in_the_token_signs_what_its_public_key_confirms(
    token: Token, algorithm: Algorithm
) -> None:
    signer = generate_in_token(token, pin, new_name())
    assert holds(signer.public_key(), b"data", signer.sign(b"data", algorithm), algorithm)
    assert signer.algorithms == (Algorithm.PS256, Algorithm.RS256)
    assert signer.blocking
    assert signer.protection == "pkcs11"


def test_a_generated_key_never_was_and_never_will_be_outside(token: Token, softhsm: SoftHsm) -> None:
    key = new_name()
    generate_in_token(token, pin, key)
    listed = softhsm.run_tool("--token-label", "prod", "--list-objects", "--type", "privkey")
    entry = next(part for part in listed.split("Private Key Object") if f"{key.label}\n" in part)
    assert "sensitive, always sensitive, never extractable, local" in entry
    assert "Usage:      sign\n" in entry


def test_an_imported_key_cannot_be_taken_out_again(token: Token, softhsm: SoftHsm) -> None:
    key, private = new_name(), generate_key()
    signer = import_key(token, pin, key, private)
    signature = signer.sign(b"data", Algorithm.PS256)
    assert holds(private.public_key(), b"data", signature, Algorithm.PS256)
    listed = softhsm.run_tool("--token-label", "prod", "--list-objects", "--type", "privkey")
    entry = next(part for part in listed.split("Private Key Object") if f"{key.label}\n" in part)
    assert "sensitive" in entry
    assert "extractable" not in entry.replace("never extractable", "")


def test_a_taken_id_is_not_given_to_a_second_key(token: Token) -> None:
    key = new_name()
    generate_in_token(token, pin, key)
    with pytest.raises(ConfigurationError) as caught:
        generate_in_token(token, pin, key)
    assert caught.value.code == "key-exists"


def test_a_key_without_a_name_is_not_made(token: Token) -> None:
    with pytest.raises(ConfigurationError) as caught:
        generate_in_token(token, pin, ObjectQuery("only-label"))
    assert caught.value.code == "key-not-named"


def test_openssl_verifies_what_the_token_signed(token: Token, tmp_path: Path) -> None:
    certificate = make(token, key := new_name())
    signer = Pkcs11Signer(token, pin, ObjectQuery(id=key.id))
    (tmp_path / "data").write_bytes(b"header.payload")
    (tmp_path / "signature").write_bytes(signer.sign(b"header.payload", Algorithm.PS256))
    (tmp_path / "certificate.pem").write_bytes(public_pem(certificate))
    public = subprocess.run(
        ["openssl", "x509", "-in", tmp_path / "certificate.pem", "-noout", "-pubkey"],
        check=True,
        capture_output=True,
    ).stdout
    (tmp_path / "public.pem").write_bytes(public)
    subprocess.run(
        [
            *("openssl", "dgst", "-sha256", "-verify", tmp_path / "public.pem"),
            *("-sigopt", "rsa_padding_mode:pss", "-sigopt", "rsa_pss_saltlen:32"),
            *("-signature", tmp_path / "signature", tmp_path / "data"),
        ],
        check=True,
    )


def test_a_source_finds_certificate_and_key_by_label(token: Token, pin_file: Path) -> None:
    certificate = make(token, key := new_name())
    found = open_source(uri_of(key, more=f"&pin-source=file:{pin_file}")).load()
    assert found.certificate == certificate
    assert holds(found.signer.public_key(), b"x", found.signer.sign(b"x", Algorithm.PS256), Algorithm.PS256)


def test_a_source_finds_certificate_and_key_by_id(token: Token) -> None:
    certificate = make(token, key := new_name())
    uri = f"pkcs11:token=prod;id=%A0%{(key.id or b'')[1]:02X}?module-path={MODULE}"
    assert open_source(uri, password=pin()).load().certificate == certificate


def test_the_pin_may_come_from_the_environment(token: Token, monkeypatch: pytest.MonkeyPatch) -> None:
    certificate = make(token, key := new_name())
    monkeypatch.setenv("AZCERT_PKCS11_PIN", PIN)
    assert open_source(uri_of(key)).load().certificate == certificate


def test_p11_kit_finds_the_token_when_no_module_is_named(token: Token, pin_file: Path) -> None:
    certificate = make(token, key := new_name())
    uri = f"pkcs11:token=prod;object={key.label}?pin-source=file:{pin_file}"
    assert open_source(uri).load().certificate == certificate


def test_the_certificate_may_lie_in_a_file_beside_the_token(token: Token, tmp_path: Path) -> None:
    key = new_name()
    signer = generate_in_token(token, pin, key)
    certificate = self_signed(signer, subject="beside", now=NOW)
    (tmp_path / "app.pem").write_bytes(public_pem(certificate))
    source = open_source(uri_of(key, more=f"&certificate={tmp_path / 'app.pem'}"), password=pin())
    found = source.load()
    assert found.certificate == certificate
    before = source.revision()
    (tmp_path / "app.pem").write_bytes(public_pem(self_signed(signer, subject="later", now=NOW)))
    assert source.revision() != before


def test_a_certificate_of_another_key_in_the_file_is_refused(token: Token, tmp_path: Path) -> None:
    key = new_name()
    generate_in_token(token, pin, key)
    (tmp_path / "app.pem").write_bytes(public_pem(self_signed(generate_key(), subject="other", now=NOW)))
    source = open_source(uri_of(key, more=f"&certificate={tmp_path / 'app.pem'}"), password=pin())
    with pytest.raises(AzcertError) as caught:
        source.load()
    assert caught.value.code == "key-mismatch"


def test_a_renewed_certificate_is_followed_and_the_old_one_is_still_there_to_fall_back(token: Token) -> None:
    key = new_name()
    old = make(token, key, now=NOW - dt.timedelta(days=30))
    source = open_source(uri_of(key), password=pin())
    assert source.load().certificate == old
    before = source.revision()
    new = self_signed(Pkcs11Signer(token, pin, key), subject=key.label or "", now=NOW)
    store_certificate(token, pin, key, new.leaf)
    assert source.revision() != before
    assert source.load().certificate == new
    assert source.load(skip=frozenset({new.thumbprint})).certificate == old
    assert remove_certificates(token, pin, new.der) == 1
    assert source.load().certificate == old


def test_storing_a_certificate_twice_keeps_one(token: Token) -> None:
    certificate = make(token, key := new_name())
    store_certificate(token, pin, key, certificate.leaf)
    assert remove_certificates(token, pin, certificate.der) == 1


def test_the_chain_is_kept_in_the_token_too(token: Token) -> None:
    material = Material(NOW.replace(microsecond=0))
    key = new_name()
    import_key(token, pin, key, material.key).close()
    store_certificate(token, pin, key, material.leaf, chain=[material.issuing, material.root])
    found = open_source(uri_of(key), password=pin()).load()
    assert found.certificate.leaf == material.leaf
    assert found.certificate.chain == (material.issuing, material.root)


def test_several_certificates_of_different_names_are_told_apart_by_the_user(token: Token) -> None:
    make(token, new_name())
    make(token, new_name())
    with pytest.raises(SelectionError) as caught:
        open_source(f"pkcs11:token=prod?module-path={MODULE}", password=pin()).load()
    assert caught.value.code == "ambiguous"
    assert "object=" in (caught.value.remedy or "")


def test_a_certificate_without_its_key_is_named_as_such(token: Token) -> None:
    key = new_name()
    store_certificate(token, pin, key, self_signed(generate_key(), subject="keyless", now=NOW).leaf)
    with pytest.raises(SelectionError) as caught:
        open_source(uri_of(key), password=pin()).load()
    assert caught.value.code == "no-private-key"


def test_a_certificate_with_the_id_of_another_key_is_refused(token: Token) -> None:
    key = new_name()
    generate_in_token(token, pin, key)
    store_certificate(token, pin, key, self_signed(generate_key(), subject="other", now=NOW).leaf)
    with pytest.raises(AzcertError) as caught:
        open_source(uri_of(key), password=pin()).load()
    assert caught.value.code == "key-mismatch"


def test_an_expired_certificate_is_refused(token: Token) -> None:
    make(token, key := new_name(), days=5, now=NOW - dt.timedelta(days=30))
    with pytest.raises(AzcertError) as caught:
        open_source(uri_of(key), password=pin()).load()
    assert caught.value.code == "expired"


def test_a_missing_object_token_or_module_is_each_named(token: Token) -> None:
    cases = {
        uri_of(ObjectQuery("nobody")): ("not-found", "nobody"),
        uri_of(ObjectQuery("x"), on="elsewhere"): ("not-found", "'prod'"),
        uri_of(ObjectQuery("x"), module="/nowhere.so"): ("module-not-found", "/nowhere.so"),
        uri_of(ObjectQuery("x"), module="/etc/passwd"): ("module-not-loaded", "/etc/passwd"),
    }
    for uri, (code, named) in cases.items():
        source = open_source(uri, password=pin())
        with pytest.raises(AzcertError) as caught:
            source.load()
        assert (caught.value.code, named in caught.value.message) == (code, True), caught.value


def test_a_uri_that_fits_two_tokens_is_ambiguous(softhsm: SoftHsm) -> None:
    with pytest.raises(SelectionError) as caught:
        open_source(f"pkcs11:model=SoftHSM%20v2?module-path={MODULE}", password=pin()).load()
    assert caught.value.code == "ambiguous"
    assert "'spare'" in caught.value.message


def test_an_unusable_source_has_another_revision_instead_of_an_error(token: Token) -> None:
    source = open_source(uri_of(ObjectQuery("x"), on="elsewhere"), password=pin())
    assert source.revision() == source.revision() == "not-found"


def test_modules_are_found_by_name_path_environment_and_p11_kit(tmp_path: Path) -> None:
    assert find_module(None, "softhsm2").name == "libsofthsm2.so"
    assert find_module(MODULE) == Path(MODULE)
    assert find_module(str(Path(MODULE).parent), "softhsm2") == Path(MODULE)
    assert find_module(environment={"AZCERT_PKCS11_MODULE": MODULE}) == Path(MODULE)
    assert find_module(environment={}).name == "p11-kit-proxy.so"
    for wrong in ((None, "no-such-module"), (str(tmp_path), "softhsm2"), (str(tmp_path), None)):
        with pytest.raises(ConfigurationError) as caught:
            find_module(*wrong)
        assert caught.value.code == "module-not-found"


def test_a_wrong_pin_costs_the_token_exactly_one_try(faulty: Token, faults: Faults) -> None:
    for _ in range(5):
        with pytest.raises(AccessError) as caught:
            faulty.use(wrong_pin, lambda session: session, "look")
        assert caught.value.code == "wrong-pin"
        assert "000000" not in str(caught.value) + repr(caught.value.details)
    assert faults.logins() == 1


def test_the_corrected_pin_is_tried_after_a_wrong_one(faulty: Token, faults: Faults) -> None:
    with pytest.raises(AccessError):
        faulty.use(wrong_pin, lambda session: session, "look")
    faulty.use(pin, lambda session: session, "look")
    assert faults.logins() == 2


def test_threads_with_a_wrong_pin_cost_one_try_together(faulty: Token, faults: Faults) -> None:
    codes: list[str] = []

    def attempt() -> None:
        with pytest.raises(AccessError) as caught:
            faulty.use(wrong_pin, lambda session: session, "look")
        codes.append(caught.value.code)

    threads = [threading.Thread(target=attempt) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert codes == ["wrong-pin"] * 8
    assert faults.logins() == 1


@pytest.mark.parametrize(("fault", "code"), [("locked", "pin-locked"), ("final-try", "pin-final-try")])
def test_a_pin_that_is_or_would_be_locked_is_not_tried(
    faulty: Token, faults: Faults, fault: str, code: str
) -> None:
    faults.ask(fault)
    with pytest.raises(AccessError) as caught:
        faulty.use(pin, lambda session: session, "look")
    assert caught.value.code == code
    assert faults.logins() == 0


def test_no_pin_is_asked_for_by_name(faulty: Token, faults: Faults) -> None:
    with pytest.raises(AccessError) as caught:
        faulty.use(lambda: None, lambda session: session, "look")
    assert caught.value.code == "pin-missing"
    assert "AZCERT_PKCS11_PIN" in (caught.value.remedy or "")
    assert faults.logins() == 0


def test_one_login_serves_every_signature_and_thread(faulty: Token, faults: Faults) -> None:
    signer = generate_in_token(faulty, pin, new_name())

    def sign() -> None:
        for _ in range(5):
            signer.sign(b"data", Algorithm.PS256)

    threads = [threading.Thread(target=sign) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults.logins() == 1


def test_a_token_pulled_and_put_back_signs_again_after_a_new_login(faulty: Token, faults: Faults) -> None:
    signer = generate_in_token(faulty, pin, new_name())
    signer.sign(b"data", Algorithm.PS256)
    faults.ask("pulled")
    signature = signer.sign(b"data", Algorithm.PS256)
    assert holds(signer.public_key(), b"data", signature, Algorithm.PS256)


def test_a_token_that_stays_away_is_named_and_signs_again_when_it_is_back(
    faulty: Token, faults: Faults
) -> None:
    signer = generate_in_token(faulty, pin, new_name())
    signer.sign(b"data", Algorithm.PS256)
    faults.ask("pulled", "absent")
    with pytest.raises(SigningError) as caught:
        signer.sign(b"data", Algorithm.PS256)
    assert caught.value.code == "token-not-present"
    faults.ask()
    signer.sign(b"data", Algorithm.PS256)


@pytest.mark.parametrize("how", ["reinitialize", "finalize"])
def test_a_library_reset_by_another_part_of_the_process_is_noticed(token: Token, how: str) -> None:
    signer = generate_in_token(token, pin, new_name())
    signer.sign(b"data", Algorithm.PS256)
    getattr(pkcs11.lib(MODULE), how)()
    signature = signer.sign(b"data", Algorithm.PS256)
    assert holds(signer.public_key(), b"data", signature, Algorithm.PS256)


def test_a_token_without_pss_leaves_rs256(faulty: Token, faults: Faults) -> None:
    faults.ask("no-pss")
    signer = generate_in_token(faulty, pin, new_name())
    assert signer.algorithms == (Algorithm.RS256,)
    with pytest.raises(SigningError) as caught:
        signer.sign(b"data", Algorithm.PS256)
    assert caught.value.code == "algorithm-not-supported"


def test_a_token_that_ignores_the_salt_length_is_found_out_by_looking(faulty: Token, faults: Faults) -> None:
    faults.ask("other-salt")
    assert generate_in_token(faulty, pin, new_name()).algorithms == (Algorithm.RS256,)


def test_a_signature_that_does_not_hold_is_never_handed_out(faulty: Token, faults: Faults) -> None:
    signer = generate_in_token(faulty, pin, new_name())
    assert Algorithm.PS256 in signer.algorithms
    faults.ask("other-salt")
    with pytest.raises(SigningError) as caught:
        signer.sign(b"data", Algorithm.PS256)
    assert caught.value.code == "bad-signature"


def test_a_key_that_wants_the_pin_each_time_gets_it(faulty: Token, faults: Faults) -> None:
    key = new_name()
    faulty.use(
        pin,
        lambda each: each.session.generate_keypair(
            KeyType.RSA,
            2048,
            id=key.id,
            label=key.label,
            store=True,
            private_template={Attribute.ALWAYS_AUTHENTICATE: True},
        ),
        "make a key",
        write=True,
    )
    signer = Pkcs11Signer(faulty, pin, key)
    assert signer.algorithms
    faults.ask()
    for _ in range(3):
        signer.sign(b"data", Algorithm.PS256)
    assert faults.logins() == 3


def test_the_pin_is_in_nothing_that_is_printed(token: Token) -> None:
    make(token, key := new_name())
    source = open_source(uri_of(key), password=pin())
    found = source.load()
    for shown in (source, source.name, found, found.signer, found.signer.place, token, vars(found.signer)):
        assert PIN not in f"{shown!r} {shown!s}"


def test_a_closed_signer_signs_no_more_and_the_last_one_logs_out(faulty: Token, faults: Faults) -> None:
    key = new_name()
    first, second = generate_in_token(faulty, pin, key), Pkcs11Signer(faulty, pin, key)
    first.close()
    first.close()
    with pytest.raises(SigningError) as caught:
        first.sign(b"data", Algorithm.PS256)
    assert caught.value.code == "closed"
    second.sign(b"data", Algorithm.PS256)
    assert faults.logins() == 1
    second.close()
    Pkcs11Signer(faulty, pin, key).close()
    assert faults.logins() == 2


def test_a_forked_child_signs_with_sessions_of_its_own(token: Token) -> None:
    signer = generate_in_token(token, pin, new_name())
    signer.sign(b"data", Algorithm.PS256)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            signature = signer.sign(b"data", Algorithm.PS256)
            code = 0 if holds(signer.public_key(), b"data", signature, Algorithm.PS256) else 2
        finally:
            os._exit(code)
    assert os.waitpid(child, 0)[1] == 0
    signer.sign(b"data", Algorithm.PS256)


HAMMER = """
import sys, threading
from azcert.certificate.proof import holds
from azcert.certificate.signer import Algorithm
from azcert.sources.open import open_source
signer = open_source(sys.argv[1]).load().signer
failures = []
def sign(number):
    try:
        for turn in range(int(sys.argv[2])):
            data = f"{number}/{turn}".encode()
            if not holds(signer.public_key(), data, signer.sign(data, Algorithm.PS256), Algorithm.PS256):
                raise ValueError(data)
    except BaseException as error:
        failures.append(error)
threads = [threading.Thread(target=sign, args=(number,)) for number in range(8)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert not failures, failures
"""


COME_AND_GO = """
import sys, threading
from azcert.certificate.signer import Algorithm
from azcert.sources.open import open_source
sys.setswitchinterval(1e-6)
failures = []
def come_and_go():
    try:
        for turn in range(int(sys.argv[2])):
            signer = open_source(sys.argv[1]).load().signer
            signer.sign(b"data", Algorithm.PS256)
            signer.close()
    except BaseException as error:
        failures.append(error)
threads = [threading.Thread(target=come_and_go) for _ in range(6)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert not failures, failures
"""

both_ways = pytest.mark.parametrize("module", [f"module-path={MODULE}&", ""], ids=["module", "p11-kit"])


@both_ways
def test_signers_that_come_and_go_in_threads_do_not_log_each_other_out(
    token: Token, pin_file: Path, module: str
) -> None:
    make(token, key := new_name())
    uri = f"pkcs11:token=prod;object={key.label}?{module}pin-source=file:{pin_file}"
    subprocess.run([sys.executable, "-c", COME_AND_GO, uri, "15"], check=True, timeout=120)


@both_ways
def test_threads_in_processes_hammer_one_token_without_a_failure(
    token: Token, pin_file: Path, module: str
) -> None:
    make(token, key := new_name())
    uri = f"pkcs11:token=prod;object={key.label}?{module}pin-source=file:{pin_file}"
    turns = os.environ.get("AZCERT_STRESS_TURNS", "10")
    processes = [subprocess.Popen([sys.executable, "-c", HAMMER, uri, turns]) for _ in range(4)]
    assert [process.wait(120) for process in processes] == [0] * 4
