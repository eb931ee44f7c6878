"""Every place a certificate and its key can live in, and how a person gets one there: by the commands."""

from __future__ import annotations

import json
import os
from abc import ABC, abstractmethod
from concurrent.futures import ProcessPoolExecutor
from contextlib import redirect_stdout
from io import StringIO
from multiprocessing import get_context
from typing import TYPE_CHECKING, ClassVar

from azcert.cli.main import cli
from azcert.emulator.seed import register
from azcert.errors import AzcertError
from azcert.sources.open import open_source
from support.softhsm import PIN

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

    import pytest

    from azcert.emulator.fixture import AzcertEmulator
    from support.softhsm import SoftHsm
    from support.swtpm import Swtpm

__all__ = ["PLACES", "Place", "run"]

_ADMINISTRATOR = "Key Vault Administrator"


def run(*arguments: str | Path) -> str:
    """Run an azcert command in this process; return what it prints, raise what it raises."""
    printed = StringIO()
    with redirect_stdout(printed):
        cli.main([*map(str, arguments)], prog_name="azcert", standalone_mode=False)
    return printed.getvalue().strip()


def refusal(source: str) -> AzcertError | None:
    """Return the error that opening *source* ends with."""
    try:
        open_source(source).load().signer.close()
    except AzcertError as error:
        return error
    return None


class Place(ABC):
    """One place; its methods run in an empty current folder, within the emulator's environment.

    :cvar create_code: code of the refusal to make a key here; None where it works.
    :cvar import_code: code of the refusal to take a key that exists already.
    :cvar rotate_code: code of the refusal to replace the certificate from here.
    """

    name: ClassVar[str]
    create_code: ClassVar[str | None] = None
    import_code: ClassVar[str | None] = None
    rotate_code: ClassVar[str | None] = None

    def __init__(
        self,
        folder: Path,
        emulator: AzcertEmulator,
        request: pytest.FixtureRequest,
        patch: pytest.MonkeyPatch,
    ) -> None:
        self.folder = folder
        self.emulator = emulator
        self.request = request
        self.patch = patch
        self.password = folder / "password"
        self.password.write_text("correct horse\n")

    @abstractmethod
    def create(self) -> str:
        """Make a key here, with a certificate that is registered; return the source."""

    @abstractmethod
    def take(self, pem: Path) -> str:
        """Bring the certificate and key of a PEM file here; return the source."""

    def ready(self) -> str:
        """Return a source that signs in: the app's own certificate where it can be brought here."""
        return self.create() if self.import_code else self.take(self.emulator.certificate_path)

    @abstractmethod
    def wrong(self) -> dict[str, tuple[str, str]]:
        """Return by name what a person may get wrong: a source, and the code of its refusal."""

    def refusals(self, sources: Iterable[str]) -> list[AzcertError | None]:
        """Open each source; return what each was refused with."""
        return [refusal(source) for source in sources]

    def registered(self) -> None:
        """Put the public certificate that ``azcert new`` wrote on the app."""
        register(self.emulator.world, self.emulator.client_id, self.folder / "app.cer")

    def file_with(self, name: str, content: str) -> Path:
        """Write a private file."""
        path = self.folder / name
        path.write_text(content)
        path.chmod(0o600)
        return path


class Pem(Place):
    name = "pem"

    def create(self) -> str:
        run("new", "app")
        self.registered()
        return "app.pem"

    def take(self, pem: Path) -> str:
        run("convert", pem, "app.pem")
        return "app.pem"

    def wrong(self) -> dict[str, tuple[str, str]]:
        run("new", "app")
        run("new", "other")
        key, certificate = (self.folder / name for name in ("app.pem", "other.cer"))
        encrypted = "file:encrypted.pem"
        run("convert", "app.pem", "encrypted.pem", "--new-password-file", self.password)
        self.file_with("wrong", "battery staple")
        self.file_with("half.pem", key.read_text()[:900])
        self.file_with("pair.pem", key.read_text().partition("-----BEGIN CERT")[0] + certificate.read_text())
        return {
            "absent": ("nobody.pem", "file-not-found"),
            "damaged": ("half.pem", "truncated"),
            "another key's certificate": ("pair.pem", "key-mismatch"),
            "no key": ("app.cer", "key-missing"),
            "no password": (encrypted, "password-missing"),
            "wrong password": (f"{encrypted}?password-file=wrong", "wrong-password"),
        }


class Pkcs12(Place):
    name = "pkcs12"

    def create(self) -> str:
        run("new", "app", "--format", "pkcs12", "--new-password-file", self.password)
        self.registered()
        return f"file:app.pfx?password-file={self.password}"

    def take(self, pem: Path) -> str:
        run("convert", pem, "app.pfx", "--new-password-file", self.password)
        return f"file:app.pfx?password-file={self.password}"

    def wrong(self) -> dict[str, tuple[str, str]]:
        source = self.create()
        half = self.folder / "half.pfx"
        half.write_bytes((self.folder / "app.pfx").read_bytes()[:500])
        half.chmod(0o600)
        self.file_with("wrong", "battery staple")
        return {
            "absent": (source.replace("app.pfx", "nobody.pfx"), "file-not-found"),
            "damaged": (source.replace("app.pfx", "half.pfx"), "truncated"),
            "no password": ("app.pfx", "password-missing"),
            "wrong password": ("file:app.pfx?password-file=wrong", "wrong-password"),
        }


class Environment(Place):
    name = "env"
    create_code = "no-key-place"
    rotate_code = "not-rotatable"

    def create(self) -> str:
        return run("new", "app", "--key", "env:APP_CERTIFICATE")

    def take(self, pem: Path) -> str:
        run("convert", pem, "app.b64")
        self.patch.setenv("APP_CERTIFICATE", (self.folder / "app.b64").read_text())
        return "env:APP_CERTIFICATE"

    def wrong(self) -> dict[str, tuple[str, str]]:
        self.patch.setenv("EMPTY", "")
        self.patch.setenv("A_PATH", "/etc/app.pem")
        return {
            "absent": ("env:NOBODY", "not-found"),
            "empty": ("env:EMPTY", "unrecognized"),
            "a path": ("env:A_PATH", "unrecognized"),
            "no name": ("env:", "malformed-source"),
        }


class Descriptor(Place):
    name = "fd"
    create_code = "no-key-place"
    rotate_code = "not-rotatable"

    def create(self) -> str:
        return run("new", "app", "--key", "fd:3")

    def take(self, pem: Path) -> str:
        opened = os.open(pem, os.O_RDONLY)
        self.request.addfinalizer(lambda: os.close(opened))
        return f"fd:{opened}"

    def wrong(self) -> dict[str, tuple[str, str]]:
        nothing, closed = (os.open(os.devnull, os.O_RDONLY) for _ in range(2))
        os.close(closed)
        self.request.addfinalizer(lambda: os.close(nothing))
        return {
            "closed": (f"fd:{closed}", "not-found"),
            "empty": (f"fd:{nothing}", "unrecognized"),
            "no number": ("fd:stdin", "malformed-source"),
        }


class StoreFile(Place):
    name = "store file"
    create_code = "no-key-place"
    protection: ClassVar[tuple[str, ...]] = ()

    def create(self) -> str:
        return run("new", "app", "--key", "store:CurrentUser/My?subject=app")

    def take(self, pem: Path) -> str:
        run("import", pem, *self.protection)
        return "store:CurrentUser/My?subject=azcert-demo"

    def wrong(self) -> dict[str, tuple[str, str]]:
        for name in ("app-one", "app-two"):
            run("new", name)
        run("import", "app-one.pem")
        run("import", "app-two.pem")
        run("new", "public")
        run("import", "public.cer")
        return {
            "absent": ("store:CurrentUser/My?subject=nobody", "not-found"),
            "another thumbprint": (f"store:CurrentUser/My?thumbprint={'0' * 40}", "not-found"),
            "several": ("store:CurrentUser/My?subject=app-", "ambiguous"),
            "no key": ("store:CurrentUser/My?subject=public", "no-private-key"),
            "no thumbprint": ("store:CurrentUser/My?thumbprint=12", "malformed-thumbprint"),
            "no selector": ("store:CurrentUser/My", "malformed-source"),
        }


class StoreEncrypted(StoreFile):
    name = "store encrypted"

    def take(self, pem: Path) -> str:
        run("import", pem, "--protect", "encrypted", "--passphrase-from", f"file:{self.password}")
        return "store:CurrentUser/My?subject=azcert-demo"

    def wrong(self) -> dict[str, tuple[str, str]]:
        source = self.take(self.emulator.certificate_path)
        self.file_with("wrong", "battery staple")
        # The origin that was said at the import is gone, as on a machine it was not set up on.
        self.password.unlink()
        return {
            "absent": ("store:CurrentUser/My?subject=nobody", "not-found"),
            "no passphrase": (source, "password-unreadable"),
            "wrong passphrase": (f"{source}&password-file=wrong", "wrong-password"),
        }


class Dotnet(Place):
    name = ".NET store"
    create_code = "no-key-place"

    def create(self) -> str:
        return run("new", "app", "--key", "dotnet:CurrentUser/My?subject=app")

    def take(self, pem: Path) -> str:
        run("import", pem, "--store", "dotnet:CurrentUser/My")
        return "dotnet:CurrentUser/My?subject=azcert-demo"

    def wrong(self) -> dict[str, tuple[str, str]]:
        run("new", "public")
        run("import", "public.cer", "--store", "dotnet:CurrentUser/My")
        return {
            "absent": ("dotnet:CurrentUser/My?subject=nobody", "not-found"),
            "no key": ("dotnet:CurrentUser/My?subject=public", "no-private-key"),
            "not on Linux": ("dotnet:LocalMachine/My?subject=app", "no-such-store"),
        }


class Token(Place):
    name = "pkcs11"

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type] # handed through as they are
        self.token: SoftHsm = self.request.getfixturevalue("softhsm")
        self.pin: Path = self.request.getfixturevalue("pin_file")
        # The token outlives the test: a label of the test's own.
        self.label = self.folder.name

    def uri(self, label: str | None = None, *, pin_file: Path | None = None) -> str:
        return self.token.uri("prod", label or self.label, pin_file=pin_file or self.pin)

    def create(self) -> str:
        run("new", "app", "--key", self.uri())
        self.registered()
        return self.uri()

    def take(self, pem: Path) -> str:
        run("import", pem, "--protect", self.uri())
        return self.uri()

    def ready(self) -> str:
        return self.create()

    def wrong(self) -> dict[str, tuple[str, str]]:
        run("new", "app", "--key", self.uri())
        run("new", "other")
        beside = f"{self.uri()}&certificate=other.cer"
        return {
            "no PIN": (self.token.uri("prod", self.label), "pin-missing"),
            "wrong PIN": (self.uri(pin_file=self.file_with("wrong", f"{PIN}0")), "wrong-pin"),
            "absent": (self.uri("nobody"), "not-found"),
            "another token": (self.uri().replace("token=prod", "token=nowhere"), "not-found"),
            "another module": (f"pkcs11:object={self.label}?module-path=/nowhere.so", "module-not-found"),
            "another key's certificate": (beside, "key-mismatch"),
        }

    def refusals(self, sources: Iterable[str]) -> list[AzcertError | None]:
        # A login is the whole process's: in one that is logged in already, no PIN is looked at.
        with ProcessPoolExecutor(1, get_context("spawn")) as fresh:
            return list(fresh.map(refusal, sources))


class TpmFile(Place):
    name = "tpm"

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type] # handed through as they are
        self.device: Swtpm = self.request.getfixturevalue("swtpm")
        self.uri = f"tpm:app.tss?tcti={self.device.tcti}"

    def create(self) -> str:
        told = json.loads(run("new", "app", "--key", self.uri, "--json"))
        self.registered()
        return str(told["source"])

    def take(self, pem: Path) -> str:
        run("import", pem, "--protect", self.uri)
        return self.uri

    def ready(self) -> str:
        return self.create()

    def wrong(self) -> dict[str, tuple[str, str]]:
        run("new", "app", "--key", self.uri)
        run("new", "other")
        text = (self.folder / "app.tss").read_text()
        self.file_with("half.tss", text[:300])
        self.file_with("bare.tss", text.partition("-----BEGIN CERT")[0])
        named = self.uri.replace
        return {
            "absent": (named("app.tss", "nobody.tss"), "file-not-found"),
            "damaged": (named("app.tss", "half.tss"), "truncated"),
            "no certificate": (named("app.tss", "bare.tss"), "no-certificate"),
            "another key's certificate": (f"{self.uri}&certificate=other.cer", "key-mismatch"),
            "no TPM key": (named("app.tss", "other.pem"), "key-missing"),
            "no TPM": (f"tpm:app.tss?tcti={self.device.tcti[:-1]}", "tpm-unreachable"),
            "no key at the handle": (
                f"tpm:handle=0x81000077?certificate=other.cer&tcti={self.device.tcti}",
                "not-found",
            ),
        }


class KeyVault(Place):
    name = "key vault"
    import_code = "not-importable"
    rotate_code = "not-rotatable"

    def __init__(self, *given: object) -> None:
        super().__init__(*given)  # type: ignore[arg-type] # handed through as they are
        documents = self.emulator.world.documents
        for name, _ in documents.items("role"):
            documents.put("role", name, [_ADMINISTRATOR])
        self.uri = f"keyvault:{self.emulator.vault_name}/app"

    def create(self) -> str:
        run("new", "app", "--key", self.uri)
        self.registered()
        return self.uri

    def take(self, pem: Path) -> str:
        return run("import", pem, "--protect", self.uri)

    def wrong(self) -> dict[str, tuple[str, str]]:
        run("new", "app", "--key", self.uri)
        return {
            "absent": (self.uri.replace("/app", "/nobody"), "not-found"),
            "another version": (f"{self.uri}/{'0' * 32}", "not-found"),
            "a key that stays": (f"{self.uri}?download=true", "key-not-exportable"),
            "another vault": ("keyvault:no-such-vault/app", "no-answer"),
            "no vault's name": ("keyvault:-/app", "malformed-source"),
        }


PLACES: tuple[type[Place], ...] = (
    Pem,
    Pkcs12,
    Environment,
    Descriptor,
    StoreFile,
    StoreEncrypted,
    Dotnet,
    Token,
    TpmFile,
    KeyVault,
)
"""In the order of the documentation's table."""
