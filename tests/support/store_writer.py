"""Writes into a store until it is killed: a process of its own for the tests of crashes and of concurrency.

    python store_writer.py FOLDER MATERIAL SEED [ROUNDS]
    python store_writer.py FOLDER MATERIAL fork

MATERIAL is a folder with one PEM for each certificate and ``key.pem``. Prints the number of each round done.
With ``fork``, each line on stdin is the seed of a writer: its process id is printed, its rounds, and at last
``ended``. A fork costs a hundredth of a new interpreter, and a killed writer is as dead.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import load_pem_private_key

from azcert.certificate.model import Certificate
from azcert.stores.directory.store import DirectoryStore
from azcert.stores.names import Location, StoreName


def main() -> None:
    folder, material, seed = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    key = load_pem_private_key((material / "key.pem").read_bytes(), None)
    assert isinstance(key, RSAPrivateKey)
    certificates = [
        Certificate(x509.load_pem_x509_certificate(path.read_bytes()))
        for path in sorted(material.glob("*.cer"))
    ]
    if seed != "fork":
        write(folder, key, certificates, seed, int(sys.argv[4]) if len(sys.argv) > 4 else sys.maxsize)
        return
    for line in sys.stdin:
        child = os.fork()
        if not child:
            say(os.getpid())
            write(folder, key, certificates, line, sys.maxsize)
        os.waitpid(child, 0)
        say("ended")


def write(folder: Path, key: RSAPrivateKey, certificates: list[Certificate], seed: str, rounds: int) -> None:
    chance = random.Random(seed)  # noqa: S311 - choices of a test, to be repeated
    store = DirectoryStore(StoreName(Location.CURRENT_USER, "My"), folder)
    for done in range(rounds):
        certificate = chance.choice(certificates)
        present = store.get(certificate.thumbprint)
        if present is not None and chance.random() < 0.3:
            store.remove(present)
        else:
            store.add(certificate, key)
        say(done)


def say(what: object) -> None:
    print(what, flush=True)  # noqa: T201 - the test waits for it


if __name__ == "__main__":
    main()
