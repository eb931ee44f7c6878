"""Keys that sign where they live beside the place's own rate, and lookups in a store.

    python -m bench.places WHAT SIDE ARGUMENTS

measures one side of a row in a process of its own and prints one line of JSON; `measure` yields the rows.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import json
import os
import socket
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.rows import Figures, Row
from bench.setting import ROOT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.setting import Setting

__all__ = ["measure"]

OURS, THEIRS = "azcert", "raw"
_FEW = 3
_SECONDS = 1.0
_DATA = b"x" * 600
"""As long as the part of an assertion that is signed."""
_PIN = "648219"
_MODULE = "/usr/lib/softhsm/libsofthsm2.so"
_SIZES = (10, 1_000, 10_000)


def devices(setting: Setting, runs: int) -> Iterator[Row]:
    """Signatures per second of a token, a TPM and a vault; PS256, one thread."""
    with _softhsm(setting.folder) as environment:
        uri = f"pkcs11:token=bench;object=bench?module-path={_MODULE}&pin-source=env:BENCH_PIN"
        _azcert("new", "token", "--key", uri, folder=setting.folder, environment=environment)
        yield _row("SoftHSM", "python-pkcs11 in one session", "token", uri, runs, environment)
    with _swtpm(setting.folder) as tcti:
        uri = f"tpm:{setting.folder}/bench.tss?tcti={tcti}"
        _azcert("new", "tpm", "--key", uri, folder=setting.folder)
        yield _row("swtpm", "TPM2_Sign, key loaded once", "tpm", uri, runs)
    yield _row("Key Vault (emulated)", "azure-keyvault-keys", "vault", str(setting.folder), runs)


def lookups(setting: Setting, runs: int) -> Iterator[Row]:
    """A certificate of the store, in a fresh process; the other reads and parses file after file."""
    for size in _SIZES:
        folder = setting.folder / f"store-{size}"
        name, thumbprint = _fill(folder, size)
        first = Figures([_probe("subject", OURS, str(folder), name) / 1e9])
        for what, value in (("thumbprint", thumbprint), ("subject", name)):
            ours, theirs = Figures(), Figures()
            for _ in range(runs):
                ours.runs.append(_probe(what, OURS, str(folder), value))
                theirs.runs.append(_probe(what, THEIRS, str(folder), value))
            yield Row(f"lookup by {what}, {size:,} certificates", "ns", ours, theirs, against="parsing each")
        parsing = Figures([each / 1e9 for each in theirs.runs])
        yield Row(f"the very first by subject, {size:,}", "s", first, parsing, against="parsing each")


def measure(setting: Setting, runs: int, only: str = "") -> Iterator[Row]:
    """Yield the rows as they are measured; *only* picks measurements by name."""
    for measurement in (devices, lookups):
        if only in measurement.__name__:
            yield from measurement(setting, runs)


def _row(
    place: str, against: str, what: str, uri: str, runs: int, environment: dict[str, str] | None = None
) -> Row:
    ours, theirs = Figures(), Figures()
    for _ in range(min(runs, _FEW)):
        ours.runs.append(_probe(what, OURS, uri, environment=environment))
        theirs.runs.append(_probe(what, THEIRS, uri, environment=environment))
    return Row(f"signatures, {place}, PS256", "/s", ours, theirs, against=against, more_is_better=True)


def _probe(*arguments: str, environment: dict[str, str] | None = None) -> float:
    command = [sys.executable, "-m", "bench.places", *arguments]
    done = subprocess.run(
        command,
        cwd=ROOT,
        env={**os.environ, **(environment or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    if done.returncode:
        raise RuntimeError(f"{command} ended with {done.returncode}: {done.stderr}")
    return float(json.loads(done.stdout.splitlines()[-1]))


def _azcert(*arguments: str, folder: Path, environment: dict[str, str] | None = None) -> None:
    command = [sys.executable, "-m", "azcert", *arguments]
    subprocess.run(
        command, cwd=folder, env={**os.environ, **(environment or {})}, check=True, capture_output=True
    )


@contextmanager
def _softhsm(folder: Path) -> Iterator[dict[str, str]]:
    tokens = folder / "softhsm"
    tokens.mkdir()
    configuration = folder / "softhsm2.conf"
    configuration.write_text(f"directories.tokendir = {tokens}\nlog.level = ERROR\n")
    environment = {"SOFTHSM2_CONF": str(configuration), "BENCH_PIN": _PIN}
    command = ["softhsm2-util", "--init-token", "--free", "--label", "bench", "--so-pin", _PIN, "--pin", _PIN]
    subprocess.run(command, env={**os.environ, **environment}, check=True, capture_output=True)
    yield environment


@contextmanager
def _swtpm(folder: Path) -> Iterator[str]:
    state = folder / "tpm"
    state.mkdir()
    # TSS2 expects the control port behind the other one.
    with socket.create_server(("127.0.0.1", 0)) as first:
        port = int(first.getsockname()[1])
    command = [
        *("swtpm", "socket", "--tpm2", "--tpmstate", f"dir={state}"),
        *("--server", f"type=tcp,port={port},bindaddr=127.0.0.1"),
        *("--ctrl", f"type=tcp,port={port + 1},bindaddr=127.0.0.1"),
        *("--flags", "not-need-init,startup-clear"),
    ]
    tcti = f"swtpm:host=127.0.0.1,port={port}"
    with subprocess.Popen(command) as process:
        try:
            answers = ["tpm2_getrandom", "--tcti", tcti, "--hex", "1"]
            while subprocess.run(answers, check=False, capture_output=True).returncode:
                assert process.poll() is None, "swtpm did not start"
            yield tcti
        finally:
            process.terminate()


def _fill(folder: Path, size: int) -> tuple[str, str]:
    """Write a store of *size* certificates, without waiting for the disk; return one's subject and name."""
    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.x509.oid import NameOID

    from azcert.certificate.model import Certificate
    from azcert.stores.directory.record import Record

    folder.mkdir(mode=0o700)
    key, now = rsa.generate_private_key(65537, 2048), dt.datetime.now(dt.UTC)
    found = ("", "")
    for number in range(size):
        name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"app-{number:05}")])
        builder = x509.CertificateBuilder().subject_name(name).issuer_name(name).public_key(key.public_key())
        builder = builder.serial_number(number + 1).not_valid_before(now)
        made = Certificate(builder.not_valid_after(now + dt.timedelta(days=90)).sign(key, SHA256()))
        record = Record(made, now, f"{made.thumbprint}.00000000.key", None, "file")
        folder.joinpath(f"{made.thumbprint}.pem").write_bytes(record.render())
        if number == size // 2:
            found = (f"app-{number:05}", made.thumbprint)
    return found


def _rate(sign: Callable[[], object]) -> float:
    sign()
    done, began = 0, time.perf_counter()
    while time.perf_counter() < began + _SECONDS:
        sign()
        done += 1
    return done / (time.perf_counter() - began)


def _ours(uri: str, credential: Any = None) -> float:
    from azcert.certificate.signer import Algorithm
    from azcert.sources.open import open_source

    signer = open_source(uri, credential=credential).load().signer
    return _rate(lambda: signer.sign(_DATA, Algorithm.PS256))


def _token(side: str, uri: str) -> float:
    if side == OURS:
        return _ours(uri)
    import pkcs11

    with pkcs11.lib(_MODULE).get_token(token_label="bench").open(user_pin=_PIN) as session:  # noqa: S106 - no secret
        key: Any = session.get_key(pkcs11.ObjectClass.PRIVATE_KEY, label="bench")
        parameters = (pkcs11.Mechanism.SHA256, pkcs11.MGF.SHA256, 32)
        mechanism = pkcs11.Mechanism.SHA256_RSA_PKCS_PSS
        return _rate(lambda: key.sign(_DATA, mechanism=mechanism, mechanism_param=parameters))


def _tpm(side: str, uri: str) -> float:
    if side == OURS:
        return _ours(uri)
    from tpm2_pytss import ESAPI
    from tpm2_pytss.constants import ESYS_TR, TPM2_ALG, TPM2_RH, TPM2_ST
    from tpm2_pytss.types import (
        TPM2B_DIGEST,
        TPMS_SCHEME_HASH,
        TPMT_SIG_SCHEME,
        TPMT_TK_HASHCHECK,
        TPMU_SIG_SCHEME,
    )

    from azcert.certificate import formats
    from azcert.keys.tpm.key import FileKey
    from azcert.keys.tpm.tss2 import parse_tss2

    path, _, tcti = uri.removeprefix("tpm:").partition("?tcti=")
    data = formats.load(Path(path).read_bytes(), name=path).tss2_keys[0]
    scheme = TPMT_SIG_SCHEME(
        scheme=TPM2_ALG.RSAPSS,
        details=TPMU_SIG_SCHEME(any=TPMS_SCHEME_HASH(hashAlg=TPM2_ALG.SHA256)),
    )
    ticket = TPMT_TK_HASHCHECK(tag=TPM2_ST.HASHCHECK, hierarchy=TPM2_RH.NULL)
    with ESAPI(tcti) as esapi, FileKey(parse_tss2(data, path), path).loaded(esapi, None) as handle:

        def sign() -> object:
            digest = TPM2B_DIGEST(hashlib.sha256(_DATA).digest())
            return esapi.sign(handle, digest, scheme, ticket, session1=ESYS_TR.PASSWORD)

        return _rate(sign)


def _vault(side: str, folder: str) -> float:
    """One process is client and vault, for both sides alike."""
    from tempfile import TemporaryDirectory

    from azure.keyvault.certificates import CertificateClient, CertificatePolicy
    from azure.keyvault.keys.crypto import CryptographyClient, SignatureAlgorithm

    from azcert import CertificateCredential
    from azcert.emulator.session import session

    with TemporaryDirectory(dir=folder) as runtime, session(Path(runtime)) as running:
        documents = running.emulator.world.documents
        for key, _ in documents.items("role"):
            documents.put("role", key, ["Key Vault Administrator"])
        os.environ.update({name: value for name, value in running.environment.items() if value is not None})
        who = running.identity
        credential = CertificateCredential(who.tenant_id, who.client_id, certificate=running.certificate)
        with credential, CertificateClient(str(who.vault_url), credential) as client:
            client.begin_create_certificate("bench", CertificatePolicy.get_default()).result()
            made = client.get_certificate("bench")
            if side == OURS:
                return _ours(f"keyvault:{who.vault}/bench", credential)
            digest = hashlib.sha256(_DATA).digest()
            with CryptographyClient(str(made.key_id), credential) as vault:
                return _rate(lambda: vault.sign(SignatureAlgorithm.ps256, digest))


def _lookup(side: str, what: str, folder: str, value: str) -> float:
    """Nanoseconds; the modules are imported before the clock runs."""
    from cryptography import x509
    from cryptography.hazmat.primitives.hashes import SHA1
    from cryptography.x509.oid import NameOID

    from azcert.certificate import formats
    from azcert.stores.directory.store import DirectoryStore
    from azcert.stores.find import choose
    from azcert.stores.names import Location, Selector, StoreName

    del formats  # what the store imports late
    now = dt.datetime.now(dt.UTC)
    began = time.perf_counter_ns()
    if side == OURS:
        store = DirectoryStore(StoreName(Location.CURRENT_USER, "My"), Path(folder))
        if what == "thumbprint":
            assert store.get(value)
        else:
            found = choose(store.entries(), Selector(subject=value), now=now, where="bench")
            assert value in found.subject
        return time.perf_counter_ns() - began
    matching = 0
    for path in Path(folder).glob("*.pem"):
        each = x509.load_pem_x509_certificate(path.read_bytes())
        if what == "thumbprint":
            matching += each.fingerprint(SHA1()).hex().upper() == value  # noqa: S303 - thumbprints are SHA-1
        else:
            matching += each.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value == value
    assert matching == 1
    return time.perf_counter_ns() - began


_PROBES: dict[str, Callable[..., float]] = {
    "token": _token,
    "tpm": _tpm,
    "vault": _vault,
    "thumbprint": lambda side, *rest: _lookup(side, "thumbprint", *rest),
    "subject": lambda side, *rest: _lookup(side, "subject", *rest),
}

if __name__ == "__main__":
    print(json.dumps(_PROBES[sys.argv[1]](*sys.argv[2:])))
