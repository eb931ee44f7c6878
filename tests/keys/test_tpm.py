"""A key in a real TPM 2.0 (swtpm) signs, other tools read its file, and nothing is left in the TPM."""

from __future__ import annotations

import datetime as dt
import os
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric.padding import MGF1, PSS
from cryptography.hazmat.primitives.hashes import SHA256

from azcert._redact import Secret
from azcert.certificate.issue import generate_key, self_signed
from azcert.certificate.proof import holds
from azcert.certificate.signer import Algorithm
from azcert.certificate.writers import public_pem
from azcert.errors import AccessError, AzcertError, ConfigurationError, SigningError
from azcert.keys.tpm.connection import Connection, connect
from azcert.keys.tpm.key import FileKey, PersistentKey
from azcert.keys.tpm.make import create_key
from azcert.keys.tpm.signer import TpmSigner
from azcert.sources.open import open_source
from support.swtpm import Swtpm, running_swtpm

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from azcert.certificate.model import Certificate
    from azcert.keys.tpm.tss2 import Tss2Key

NOW = dt.datetime.now(dt.UTC)
PRIMARY = "userwithauth|restricted|decrypt|noda|fixedtpm|fixedparent|sensitivedataorigin"
SIGNING = "userwithauth|sign|fixedtpm|fixedparent|sensitivedataorigin"


@pytest.fixture
def tpm(swtpm: Swtpm) -> Iterator[Connection]:
    """The way to the TPM; after each test no key may be left loaded."""
    yield connect(swtpm.tcti)
    assert swtpm.transient_objects() == 0


@pytest.fixture(scope="module")
def key(swtpm: Swtpm) -> Tss2Key:
    return create_key(connect(swtpm.tcti))


def write(path: Path, key: Tss2Key, *certificates: Certificate) -> Path:
    path.write_bytes(key.to_pem() + b"".join(public_pem(each) for each in certificates))
    path.chmod(0o600)
    return path


def uri_of(path: Path | str, swtpm: Swtpm, more: str = "") -> str:
    return f"tpm:{path}?tcti={swtpm.tcti}{more}"


def certified(tpm: Connection, key: Tss2Key, auth: Secret | None = None) -> Certificate:
    return self_signed(TpmSigner(tpm, FileKey(key, "key"), auth=auth), subject="tpm-app", now=NOW)


@pytest.mark.parametrize("algorithm", list(Algorithm))
def test_a_key_made_in_the_tpm_signs_what_its_public_key_confirms(
    tpm: Connection, key: Tss2Key, algorithm: Algorithm
) -> None:
    signer = TpmSigner(tpm, FileKey(key, "key.pem"))
    assert signer.algorithms == (Algorithm.PS256, Algorithm.RS256)
    assert holds(signer.public_key(), b"data", signer.sign(b"data", algorithm), algorithm)
    assert (signer.protection, signer.blocking) == ("tpm", True)


def test_a_source_takes_key_and_certificate_from_one_file(
    tpm: Connection, key: Tss2Key, swtpm: Swtpm, tmp_path: Path
) -> None:
    certificate = certified(tpm, key)
    found = open_source(uri_of(write(tmp_path / "app.pem", key, certificate), swtpm)).load()
    assert found.certificate == certificate
    signature = found.signer.sign(b"data", Algorithm.PS256)
    assert holds(found.signer.public_key(), b"data", signature, Algorithm.PS256)


@pytest.mark.parametrize("variable", ["AZCERT_TPM_TCTI", "TPM2OPENSSL_TCTI", "TPM2TOOLS_TCTI"])
def test_the_environment_says_where_the_tpm_is(
    tpm: Connection, key: Tss2Key, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, variable: str
) -> None:
    monkeypatch.setenv(variable, tpm.tcti)
    path = write(tmp_path / "app.pem", key, certified(tpm, key))
    assert tpm.tcti in open_source(f"tpm:{path}").load().signer.place


def test_a_certificate_of_its_own_file_is_followed(
    tpm: Connection, key: Tss2Key, swtpm: Swtpm, tmp_path: Path
) -> None:
    write(tmp_path / "key.pem", key)
    old, new = certified(tpm, key), certified(tpm, key)
    beside = tmp_path / "app.pem"
    beside.write_bytes(public_pem(old))
    source = open_source(uri_of(tmp_path / "key.pem", swtpm, f"&certificate={beside}"))
    assert source.load().certificate == old
    before = source.revision()
    beside.write_bytes(public_pem(new) + public_pem(old))
    assert source.revision() != before
    assert source.load(skip=frozenset({old.thumbprint})).certificate == new


def test_a_certificate_of_another_key_is_refused(
    tpm: Connection, key: Tss2Key, swtpm: Swtpm, tmp_path: Path
) -> None:
    path = write(tmp_path / "app.pem", key, self_signed(generate_key(), subject="other", now=NOW))
    with pytest.raises(AzcertError) as caught:
        open_source(uri_of(path, swtpm)).load()
    assert caught.value.code == "key-mismatch"


def test_openssl_signs_with_the_key_file_that_azcert_wrote(
    tpm: Connection, key: Tss2Key, swtpm: Swtpm, tmp_path: Path
) -> None:
    path = write(tmp_path / "key.pem", key)
    (tmp_path / "data").write_bytes(b"data")
    environment = {**os.environ, "TPM2OPENSSL_TCTI": swtpm.tcti}
    subprocess.run(
        [
            *("openssl", "dgst", "-provider", "tpm2", "-provider", "default", "-propquery", "?provider=tpm2"),
            *("-sha256", "-sign", path, "-sigopt", "rsa_padding_mode:pss"),
            *("-out", tmp_path / "signature", tmp_path / "data"),
        ],
        env=environment,
        check=True,
    )
    signature = (tmp_path / "signature").read_bytes()
    assert holds(TpmSigner(tpm, FileKey(key, "key")).public_key(), b"data", signature, Algorithm.PS256)


def test_azcert_signs_with_the_key_file_that_openssl_wrote(
    tpm: Connection, swtpm: Swtpm, tmp_path: Path
) -> None:
    path = tmp_path / "key.pem"
    subprocess.run(
        [
            "openssl",
            "genpkey",
            "-provider",
            "tpm2",
            "-algorithm",
            "RSA",
            "-pkeyopt",
            "bits:2048",
            "-out",
            path,
        ],
        env={**os.environ, "TPM2OPENSSL_TCTI": swtpm.tcti},
        check=True,
    )
    path.chmod(0o600)
    with pytest.raises(AzcertError) as caught:
        open_source(uri_of(path, swtpm)).load()
    assert caught.value.code == "no-certificate"


def make_with_tools(swtpm: Swtpm, folder: Path, *, attributes: str = SIGNING, scheme: str = "") -> None:
    """A key by tpm2-tools in ``key.pem`` (password ``pw``), and its loaded context in ``key.ctx``."""
    primary, public, private = folder / "primary.ctx", folder / "key.pub", folder / "key.priv"
    parent = ("-C", str(primary))
    parts = ("-u", str(public), "-r", str(private))
    swtpm.run_tool(
        "tpm2_createprimary", "-C", "o", "-G", "ecc256:aes128cfb", "-a", PRIMARY, "-c", str(primary), "-Q"
    )
    swtpm.flush()
    swtpm.run_tool(
        "tpm2_create", *parent, *parts, "-G", f"rsa2048{scheme}", "-a", attributes, "-p", "pw", "-Q"
    )
    swtpm.flush()
    swtpm.run_tool("tpm2_encodeobject", *parent, *parts, "-o", str(folder / "key.pem"), "-p")
    swtpm.flush()
    swtpm.run_tool("tpm2_load", *parent, *parts, "-c", str(folder / "key.ctx"), "-Q")
    swtpm.flush()
    (folder / "key.pem").chmod(0o600)


def sign_with_tools(swtpm: Swtpm, folder: Path, *, password: str) -> None:
    key, data, out = (str(folder / name) for name in ("key.ctx", "data", "signature"))
    try:
        swtpm.run_tool("tpm2_sign", "-c", key, "-p", password, "-g", "sha256", "-o", out, data)
    finally:
        swtpm.flush()


def persist(swtpm: Swtpm, folder: Path, handle: int) -> None:
    swtpm.run_tool("tpm2_evictcontrol", "-C", "o", "-c", str(folder / "key.ctx"), f"0x{handle:08X}", "-Q")
    swtpm.flush()


def test_azcert_signs_with_the_key_file_that_tpm2_tools_wrote(
    tpm: Connection, swtpm: Swtpm, tmp_path: Path
) -> None:
    make_with_tools(swtpm, tmp_path)
    found = open_source(
        uri_of(tmp_path / "key.pem", swtpm, "&password-env=KEY_PASSWORD"), password=Secret("pw")
    )
    with pytest.raises(AzcertError) as caught:
        found.load()
    assert caught.value.code == "no-certificate"


def test_a_persistent_key_signs_and_stays(tpm: Connection, swtpm: Swtpm, tmp_path: Path) -> None:
    make_with_tools(swtpm, tmp_path)
    persist(swtpm, tmp_path, 0x81000021)
    signer = TpmSigner(tpm, PersistentKey(0x81000021), auth=Secret("pw"))
    certificate = self_signed(signer, subject="persistent", now=NOW)
    (tmp_path / "app.pem").write_bytes(public_pem(certificate))
    uri = f"tpm:handle=0x81000021?certificate={tmp_path / 'app.pem'}&tcti={swtpm.tcti}"
    found = open_source(uri, password=Secret("pw")).load()
    assert found.certificate == certificate
    assert holds(found.signer.public_key(), b"x", found.signer.sign(b"x", Algorithm.PS256), Algorithm.PS256)
    assert "0x81000021" in swtpm.run_tool("tpm2_getcap", "handles-persistent")


def test_a_key_below_a_persistent_parent_is_made_and_loaded(
    tpm: Connection, swtpm: Swtpm, tmp_path: Path
) -> None:
    primary = str(tmp_path / "primary.ctx")
    swtpm.run_tool("tpm2_createprimary", "-C", "o", "-G", "rsa2048:aes128cfb", "-a", PRIMARY, "-c", primary)
    swtpm.run_tool("tpm2_evictcontrol", "-C", "o", "-c", primary, "0x81000030")
    swtpm.flush()
    key = create_key(tpm, parent=0x81000030)
    signature = TpmSigner(tpm, FileKey(key, "key")).sign(b"data", Algorithm.PS256)
    assert holds(TpmSigner(tpm, FileKey(key, "key")).public_key(), b"data", signature, Algorithm.PS256)


@pytest.mark.parametrize(
    ("scheme", "algorithms"), [(":rsassa-sha256", (Algorithm.RS256,)), (":rsapss-sha256", (Algorithm.PS256,))]
)
def test_a_key_with_a_fixed_scheme_signs_with_that_one(
    tpm: Connection, swtpm: Swtpm, tmp_path: Path, scheme: str, algorithms: tuple[Algorithm, ...]
) -> None:
    make_with_tools(swtpm, tmp_path, scheme=f"{scheme}:null")
    persist(swtpm, tmp_path, 0x81000022)
    try:
        signer = TpmSigner(tpm, PersistentKey(0x81000022), auth=Secret("pw"))
        assert signer.algorithms == algorithms
        (other,) = set(Algorithm) - set(algorithms)
        with pytest.raises(SigningError) as caught:
            signer.sign(b"data", other)
        assert caught.value.code == "algorithm-not-supported"
    finally:
        swtpm.run_tool("tpm2_evictcontrol", "-C", "o", "-c", "0x81000022")


def test_a_salt_of_another_length_is_found_out_by_looking() -> None:
    key = generate_key()
    longest = key.sign(b"data", PSS(MGF1(SHA256()), PSS.MAX_LENGTH), SHA256())
    right = key.sign(b"data", PSS(MGF1(SHA256()), 32), SHA256())
    assert not holds(key.public_key(), b"data", longest, Algorithm.PS256)
    assert holds(key.public_key(), b"data", right, Algorithm.PS256)


def test_a_wrong_password_costs_the_tpm_exactly_one_try(
    tpm: Connection, swtpm: Swtpm, tmp_path: Path
) -> None:
    key = create_key(tpm, auth=Secret("right"))
    before = swtpm.failed_tries()
    for _ in range(4):
        with pytest.raises(AccessError) as caught:
            TpmSigner(tpm, FileKey(key, "a.pem"), auth=Secret("wrong")).sign(b"data", Algorithm.PS256)
        assert caught.value.code == "wrong-password"
        assert "wrong-" not in str(caught.value.details)
    assert swtpm.failed_tries() == before + 1
    TpmSigner(tpm, FileKey(key, "a.pem"), auth=Secret("right")).sign(b"data", Algorithm.PS256)
    write(tmp_path / "a.pem", key, certified(tpm, key, Secret("right")))
    with pytest.raises(AccessError) as missing:
        open_source(uri_of(tmp_path / "a.pem", swtpm)).load()
    assert missing.value.code == "password-missing"


def test_the_last_try_before_the_lockout_is_not_azcerts(tmp_path: Path) -> None:
    with running_swtpm(tmp_path) as own:
        tpm = connect(own.tcti)
        key = create_key(tpm, auth=Secret("right"))
        own.run_tool("tpm2_dictionarylockout", "-s", "-n", "2", "-t", "1000", "-l", "1000")
        with pytest.raises(AccessError) as first:
            TpmSigner(tpm, FileKey(key, "b.pem"), auth=Secret("wrong")).sign(b"data", Algorithm.PS256)
        assert first.value.code == "wrong-password"
        with pytest.raises(AccessError) as second:
            TpmSigner(tpm, FileKey(key, "b.pem"), auth=Secret("right")).sign(b"data", Algorithm.PS256)
        assert second.value.code == "tpm-nearly-locked"
        assert own.failed_tries() == 1
        own.run_tool("tpm2_dictionarylockout", "-c")
        TpmSigner(tpm, FileKey(key, "b.pem"), auth=Secret("right")).sign(b"data", Algorithm.PS256)


def test_a_locked_tpm_is_named(tmp_path: Path) -> None:
    with running_swtpm(tmp_path) as own:
        tpm = connect(own.tcti)
        key = create_key(tpm, auth=Secret("right"))
        signer = TpmSigner(tpm, FileKey(key, "c.pem"), auth=Secret("right"))
        signer.sign(b"data", Algorithm.PS256)
        own.run_tool("tpm2_dictionarylockout", "-s", "-n", "1", "-t", "1000", "-l", "1000")
        make_with_tools(own, tmp_path)
        (tmp_path / "data").write_bytes(b"data")
        with pytest.raises(subprocess.CalledProcessError):
            sign_with_tools(own, tmp_path, password="wrong")
        with pytest.raises(AccessError) as caught:
            signer.sign(b"data", Algorithm.PS256)
        assert caught.value.code == "tpm-locked"


def test_a_restarted_tpm_signs_on_with_the_same_signer(tmp_path: Path) -> None:
    with running_swtpm(tmp_path) as own:
        tpm = connect(own.tcti)
        signer = TpmSigner(tpm, FileKey(create_key(tpm), "key"))
        signer.sign(b"data", Algorithm.PS256)
        # TPM2_Startup(CLEAR) after a reset: what was saved of loaded keys is void.
        own.run_tool("tpm2_shutdown", "-c")
        own.restart()
        signature = signer.sign(b"data", Algorithm.PS256)
        assert holds(signer.public_key(), b"data", signature, Algorithm.PS256)


def test_the_key_of_another_tpm_is_refused(tpm: Connection, key: Tss2Key, tmp_path: Path) -> None:
    with running_swtpm(tmp_path) as other:
        with pytest.raises(SigningError) as caught:
            TpmSigner(connect(other.tcti), FileKey(key, "key.pem")).sign(b"data", Algorithm.PS256)
        assert "key.pem" in caught.value.message
        assert other.transient_objects() == 0


def test_a_missing_tpm_file_or_handle_is_each_named(
    tpm: Connection, key: Tss2Key, swtpm: Swtpm, tmp_path: Path
) -> None:
    path = write(tmp_path / "app.pem", key, certified(tpm, key))
    cases = {
        f"tpm:{path}?tcti=device:/dev/no-tpm": "tpm-not-found",
        f"tpm:{path}?tcti=swtpm:host=127.0.0.1,port=1": "tpm-unreachable",
        f"tpm:{path}?tcti=nonsense": "tpm-unreachable",
        uri_of(tmp_path / "none.pem", swtpm): "file-not-found",
        f"tpm:handle=0x81555555?tcti={swtpm.tcti}": "not-found",
    }
    for uri, code in cases.items():
        with pytest.raises(AzcertError) as caught:
            open_source(uri).load().signer.sign(b"data", Algorithm.PS256)
        assert caught.value.code == code, caught.value


def test_a_key_file_open_to_others_is_refused(
    tpm: Connection, key: Tss2Key, swtpm: Swtpm, tmp_path: Path
) -> None:
    path = write(tmp_path / "app.pem", key, certified(tpm, key))
    path.chmod(0o644)
    with pytest.raises(AccessError) as caught:
        open_source(uri_of(path, swtpm)).load()
    assert caught.value.code == "key-file-open"


@pytest.mark.parametrize(("bits", "code"), [(1024, "bad-key-size"), (4096, "tpm-failed")])
def test_a_key_size_that_is_not_to_be_had_is_refused(tpm: Connection, bits: int, code: str) -> None:
    with pytest.raises(AzcertError) as caught:
        create_key(tpm, bits=bits)
    assert caught.value.code == code


def test_the_password_is_in_nothing_that_is_printed(tpm: Connection, swtpm: Swtpm, tmp_path: Path) -> None:
    key = create_key(tpm, auth=Secret("hush-hush"))
    path = write(tmp_path / "app.pem", key, certified(tpm, key, Secret("hush-hush")))
    source = open_source(uri_of(path, swtpm), password=Secret("hush-hush"))
    found = source.load()
    for shown in (source, source.name, found, found.signer, found.signer.place, vars(found.signer)):
        assert "hush" not in f"{shown!r} {shown!s}"


def test_a_forked_child_signs_too(tpm: Connection, key: Tss2Key) -> None:
    signer = TpmSigner(tpm, FileKey(key, "key"))
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


def test_a_closed_signer_signs_no_more(tpm: Connection, key: Tss2Key) -> None:
    signer = TpmSigner(tpm, FileKey(key, "key"))
    signer.close()
    with pytest.raises(SigningError) as caught:
        signer.sign(b"data", Algorithm.PS256)
    assert caught.value.code == "closed"


def test_threads_share_one_signer(tpm: Connection, key: Tss2Key) -> None:
    signer = TpmSigner(tpm, FileKey(key, "key"))
    bad: list[bytes] = []

    def sign(number: int) -> None:
        for turn in range(5):
            data = f"{number}/{turn}".encode()
            if not holds(signer.public_key(), data, signer.sign(data, Algorithm.PS256), Algorithm.PS256):
                bad.append(data)

    threads = [threading.Thread(target=sign, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not bad


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
threads = [threading.Thread(target=sign, args=(number,)) for number in range(4)]
[thread.start() for thread in threads]
[thread.join() for thread in threads]
assert not failures, failures
"""


def test_threads_in_processes_hammer_one_tpm_without_a_failure(
    tpm: Connection, key: Tss2Key, swtpm: Swtpm, tmp_path: Path
) -> None:
    path = write(tmp_path / "app.pem", key, certified(tpm, key))
    turns = os.environ.get("AZCERT_STRESS_TURNS", "8")
    command = [sys.executable, "-c", HAMMER, uri_of(path, swtpm), turns]
    processes = [subprocess.Popen(command) for _ in range(4)]
    assert [process.wait(120) for process in processes] == [0] * 4


def test_the_extra_is_named_when_it_is_missing(tmp_path: Path) -> None:
    program = (
        "import sys; sys.modules['tpm2_pytss'] = None\n"
        "from azcert.errors import ConfigurationError\n"
        "from azcert.keys.tpm.connection import connect\n"
        "try: connect()\n"
        "except ConfigurationError as error: print(error.code, error.remedy)\n"
    )
    shown = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True).stdout
    assert shown.startswith("extra-missing")
    assert "azcert[tpm]" in shown
    assert issubclass(ConfigurationError, AzcertError)
