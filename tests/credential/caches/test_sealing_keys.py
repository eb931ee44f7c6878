"""Where sealing keys come from: the certificate's own key pair, a file, systemd, the kernel keyring."""

from __future__ import annotations

import ctypes
import json
import os
import re
import subprocess
import sys
import uuid
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa

from azcert.certificate.signer import Algorithm, SigningCertificate
from azcert.credential.sealing import keyring
from azcert.credential.sealing.configured import ConfiguredKeys
from azcert.credential.sealing.keyring import KeyringKeys
from azcert.credential.sealing.signature import SignatureKeys
from azcert.errors import AccessError, ConfigurationError, SelectionError, SigningError
from azcert.keys.software import SoftwareSigner
from support.cache_worker import token, token_key
from support.signing import RenewableSource, make_signing

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azcert.credential.sealing.box import SealingKey


def name_of(key: SealingKey) -> str:
    """A sealing key tells nothing of itself; equal names of one entry mean equal keys."""
    return key.name(token_key())


class Recorder:
    """A signer that keeps what it was asked to sign, and may lack an algorithm or lie."""

    protection = "memory"
    blocking = False
    place = "a signer of the test"

    def __init__(
        self,
        key: rsa.RSAPrivateKey,
        algorithms: tuple[Algorithm, ...] = (Algorithm.PS256, Algorithm.RS256),
        *,
        lies: bool = False,
    ) -> None:
        self._signer = SoftwareSigner(key, place=self.place, protection="memory")
        self.algorithms = algorithms
        self.signed: list[bytes] = []
        self._lies = lies

    def public_key(self) -> rsa.RSAPublicKey:
        return self._signer.public_key()

    def sign(self, data: bytes, algorithm: Algorithm) -> bytes:
        self.signed.append(data)
        return self._signer.sign(b"something else" if self._lies else data, algorithm)

    def close(self) -> None:
        """Nothing is open."""


@pytest.fixture(scope="module")
def key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(65537, 2048)


def test_every_holder_of_one_key_pair_derives_the_same_key(key: rsa.RSAPrivateKey) -> None:
    signing = make_signing(key=key)
    thumbprint = signing.certificate.thumbprint_sha256
    elsewhere = SigningCertificate(
        signing.certificate, SoftwareSigner(key, place="another host", protection="file")
    )
    here = SignatureKeys(RenewableSource([signing])).key_for(thumbprint)
    there = SignatureKeys(RenewableSource([elsewhere])).key_for(thumbprint)
    assert there.unseal(token_key(), here.seal(token_key(), token("shared"))).token.reveal() == "shared"


def test_each_certificate_has_a_key_of_its_own_even_with_one_key_pair(key: rsa.RSAPrivateKey) -> None:
    one, other = make_signing(key=key), make_signing(key=key)
    keys = SignatureKeys(RenewableSource([one, other]))
    names = {name_of(keys.key_for(signing.certificate.thumbprint_sha256)) for signing in (one, other)}
    assert len(names) == 2


def test_it_signs_once_per_certificate_with_any_number_of_threads(key: rsa.RSAPrivateKey) -> None:
    recorder = Recorder(key)
    signing = SigningCertificate(make_signing(key=key).certificate, recorder)
    keys = SignatureKeys(RenewableSource([signing]))
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(lambda _: keys.key_for(signing.certificate.thumbprint_sha256), range(50)))
    assert len(recorder.signed) == 1


def test_what_is_signed_can_be_no_assertion_and_no_certificate(key: rsa.RSAPrivateKey) -> None:
    recorder = Recorder(key)
    signing = SigningCertificate(make_signing(key=key).certificate, recorder)
    SignatureKeys(RenewableSource([signing])).key_for(signing.certificate.thumbprint_sha256)
    (text,) = recorder.signed
    # RFC 7515, 5.1: the signing input of a JWS is base64url, a dot, base64url.
    assert not re.fullmatch(rb"[A-Za-z0-9_-]*\.[A-Za-z0-9_-]*", text)
    assert text[0] not in {0x30, 0x20}, "a DER sequence, or TLS 1.3's padding"


def test_during_an_overlap_tokens_of_both_certificates_have_their_keys() -> None:
    old, new = make_signing("old"), make_signing("new")
    source = RenewableSource([new, old])
    keys = SignatureKeys(source)
    assert name_of(keys.key_for(old.certificate.thumbprint_sha256)) != name_of(
        keys.key_for(new.certificate.thumbprint_sha256)
    )


def test_a_certificate_that_is_gone_has_no_key() -> None:
    keys = SignatureKeys(RenewableSource([make_signing()]))
    with pytest.raises(SelectionError, match="has no certificate with SHA-256 thumbprint ABAB"):
        keys.key_for("AB" * 32)


def test_a_key_that_only_does_pss_is_refused_because_pss_is_salted(key: rsa.RSAPrivateKey) -> None:
    signing = SigningCertificate(make_signing(key=key).certificate, Recorder(key, (Algorithm.PS256,)))
    with pytest.raises(ConfigurationError, match="does not sign with RS256"):
        SignatureKeys(RenewableSource([signing])).key_for(signing.certificate.thumbprint_sha256)


def test_a_wrong_signature_never_becomes_a_key(key: rsa.RSAPrivateKey) -> None:
    signing = SigningCertificate(make_signing(key=key).certificate, Recorder(key, lies=True))
    with pytest.raises(SigningError, match="its own public key does not verify"):
        SignatureKeys(RenewableSource([signing])).key_for(signing.certificate.thumbprint_sha256)


def test_a_key_file_gives_the_same_key_every_time(key_file: str) -> None:
    one, other = ConfiguredKeys.from_file(key_file), ConfiguredKeys.from_file(key_file)
    assert name_of(one.key_for("")) == name_of(other.key_for("AB" * 32))
    assert one.origin == f"file {key_file}"


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o666])
def test_a_key_file_that_others_can_read_is_refused(key_file: str, mode: int) -> None:
    Path(key_file).chmod(mode)
    with pytest.raises(AccessError, match=f"mode {mode:04o}.*chmod 600"):
        ConfiguredKeys.from_file(key_file)


def test_a_missing_short_or_huge_key_file_is_refused(tmp_path: Path, key_file: str) -> None:
    with pytest.raises(AccessError, match="cannot be read: No such file"):
        ConfiguredKeys.from_file(tmp_path / "none")
    Path(key_file).write_bytes(b"short")
    with pytest.raises(ConfigurationError, match="has 5 bytes"):
        ConfiguredKeys.from_file(key_file)
    Path(key_file).write_bytes(b"x" * 100_000)
    with pytest.raises(ConfigurationError, match="larger than 64 KiB"):
        ConfiguredKeys.from_file(key_file)


def test_a_systemd_credential_is_found_where_systemd_puts_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    (tmp_path / "azcert-cache-key").write_bytes(bytes(range(32)))
    keys = ConfiguredKeys.from_systemd()
    assert name_of(keys.key_for("")) == name_of(ConfiguredKeys(bytes(range(32))).key_for(""))
    assert keys.origin == "systemd credential azcert-cache-key"


def test_a_missing_systemd_credential_is_said_with_the_way_to_make_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(ConfigurationError, match="LoadCredentialEncrypted=azcert-cache-key"):
        ConfiguredKeys.from_systemd()
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    with pytest.raises(ConfigurationError, match="systemd-creds encrypt --name=fleet"):
        ConfiguredKeys.from_systemd("fleet")
    with pytest.raises(ConfigurationError, match="is not the name"):
        ConfiguredKeys.from_systemd("../other")


KEYRING_NAME = """
import json, sys
from azcert.credential.sealing.keyring import KeyringKeys
from support.cache_worker import token_key
print(json.dumps(KeyringKeys(sys.argv[1]).key_for("").name(token_key())))
"""

# prctl(2) and seccomp(2): a filter that answers add_key and keyctl as container runtimes do, with EPERM.
BLOCKED = """
import ctypes, struct, sys
from azcert.credential.sealing import keyring
from azcert.errors import ConfigurationError
import platform
add_key, keyctl = keyring._CALLS[platform.machine()]
rule = struct.Struct("HBBI")
program = b"".join([
    rule.pack(0x20, 0, 0, 0),
    rule.pack(0x15, 1, 0, add_key),
    rule.pack(0x15, 0, 1, keyctl),
    rule.pack(0x06, 0, 0, 0x00050001),
    rule.pack(0x06, 0, 0, 0x7FFF0000),
])
code = ctypes.create_string_buffer(program)
header = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(program) // 8, ctypes.addressof(code)))
libc = ctypes.CDLL(None, use_errno=True)
assert libc.prctl(38, 1, 0, 0, 0) == 0
assert libc.prctl(22, 2, header) == 0, ctypes.get_errno()
try:
    keyring.KeyringKeys()
except ConfigurationError as error:
    print(error)
"""


def in_new_process(code: str, *arguments: str) -> str:
    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])}
    return subprocess.run(
        [sys.executable, "-c", code, *arguments], check=True, capture_output=True, text=True, env=environment
    ).stdout


@pytest.fixture
def keyring_name() -> Iterator[str]:
    """A name nobody uses, removed afterwards: the kernel counts a user's keys."""
    name = f"azcert-test:{uuid.uuid4()}"
    yield name
    serial = keyring._keyctl(keyring._SEARCH, keyring._USER_KEYRING, b"user", name.encode(), 0)
    keyring._keyctl(keyring._UNLINK, serial, keyring._USER_KEYRING)


def test_processes_that_start_together_agree_on_one_keyring_key(keyring_name: str) -> None:
    with ThreadPoolExecutor(4) as threads:
        names = set(threads.map(lambda _: in_new_process(KEYRING_NAME, keyring_name), range(6)))
    assert len(names) == 1
    assert names == {json.dumps(name_of(KeyringKeys(keyring_name).key_for(""))) + "\n"}


def test_the_keyring_key_stays_the_same_and_cannot_be_overwritten(keyring_name: str) -> None:
    first = name_of(KeyringKeys(keyring_name).key_for(""))
    with pytest.raises(PermissionError):
        keyring._call(
            0, b"user", keyring_name.encode(), b"x" * 32, ctypes.c_size_t(32), keyring._USER_KEYRING
        )
    assert name_of(KeyringKeys(keyring_name).key_for("")) == first


def test_a_blocked_keyring_is_said_with_what_to_use_instead() -> None:
    message = in_new_process(BLOCKED)
    assert "The kernel keyring cannot be used" in message
    assert "containers usually block these calls" in message
    assert "Use a key file, a systemd credential or the certificate's own key instead." in message
