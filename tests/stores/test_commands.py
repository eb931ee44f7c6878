"""The commands about stores, as a user types them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from support.command import azcert

if TYPE_CHECKING:
    from pathlib import Path


class Commands:
    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {"AZCERT_STORE_ROOT": str(folder / "stores"), "HOME": str(folder)}

    def __call__(self, *arguments: str, **environment: str) -> str:
        """Run a command that succeeds; return what it printed."""
        done = azcert(*arguments, environment=self.environment | environment, folder=self.folder)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def fails(self, *arguments: str, code: int = 1, **environment: str) -> str:
        done = azcert(*arguments, environment=self.environment | environment, folder=self.folder)
        assert done.returncode == code, done.stdout + done.stderr
        assert "Traceback" not in done.stderr
        assert done.stdout == ""
        return done.stderr

    def listed(self, store: str = "CurrentUser/My") -> list[dict[str, object]]:
        found: list[dict[str, object]] = json.loads(self("list", "--store", store, "--json"))
        return found


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with two certificates; making them takes longer than most of these tests."""
    folder = tmp_path_factory.mktemp("made")
    for name in ("my-app", "other"):
        Commands(folder)("new", name)
    return folder


@pytest.fixture
def run(tmp_path: Path, made: Path) -> Commands:
    for file in made.iterdir():
        shutil.copy(file, tmp_path)
    return Commands(tmp_path)


def test_import_list_export_remove(run: Commands) -> None:
    thumbprint = run("import", "my-app.pem")
    (entry,) = run.listed()
    assert entry["thumbprint"] == thumbprint
    assert (entry["has_key"], entry["key_usable"], entry["protection"]) == (True, True, "file")
    assert entry["expires_in_days"] in {364, 365}
    assert f"in {entry['expires_in_days']} days" in run("list")
    exported = run("export", thumbprint.lower())
    assert exported + "\n" == run.folder.joinpath("my-app.cer").read_text()
    run("remove", f"store:CurrentUser/My?thumbprint={thumbprint}", "--yes")
    assert run.listed() == []


def test_a_pkcs12_comes_in_with_its_chain(run: Commands) -> None:
    subprocess.run(
        ["openssl", "pkcs12", "-export", "-in", "my-app.pem", "-out", "app.pfx", "-passout", "pass:hunter2"],
        cwd=run.folder,
        check=True,
        capture_output=True,
    )
    assert "password" in run.fails("import", "app.pfx")
    run("import", "app.pfx", "--password-env", "PFX", PFX="hunter2")
    assert run.listed()[0]["has_key"]
    leaked = subprocess.run(["grep", "-r", "hunter2", "stores"], cwd=run.folder, check=False)
    assert leaked.returncode == 1


def test_a_key_leaves_only_if_it_was_imported_as_exportable(run: Commands) -> None:
    kept, given = run("import", "my-app.pem"), run("import", "other.pem", "--exportable")
    assert "not imported as exportable" in run.fails("export", kept, "--private", "--out", "kept.pem")
    assert not run.folder.joinpath("kept.pem").exists()
    assert "--out" in run.fails("export", given, "--private", code=2)
    run("export", given, "--private", "--out", "given.pem")
    given_file = run.folder / "given.pem"
    assert given_file.stat().st_mode & 0o777 == 0o600
    assert json.loads(run("show", "given.pem", "--json"))["private_key"] == "present"
    run("export", given, "--private", "--out", "sealed.pem", "--new-password-env", "P", P="hunter2")
    assert json.loads(run("show", "sealed.pem", "--json", "--password-env", "P", P="hunter2"))["encrypted"]


def test_an_encrypted_key_remembers_where_its_passphrase_is(run: Commands) -> None:
    thumbprint = run(
        "import",
        "my-app.pem",
        "--protect",
        "encrypted",
        "--passphrase-from",
        "env:APP_PASS",
        "--exportable",
        APP_PASS="x1",
    )
    assert run.listed()[0]["protection"] == "encrypted"
    pem = next(run.folder.glob("stores/CurrentUser/my/*.pem")).read_text()
    assert "Passphrase: env:APP_PASS" in pem
    run("export", thumbprint, "--private", "--out", "out.pem", APP_PASS="x1")
    assert "APP_PASS" in run.fails("export", thumbprint, "--private", "--out", "no.pem")
    assert "does not open" in run.fails("export", thumbprint, "--private", "--out", "no.pem", APP_PASS="x2")


def test_a_passphrase_can_be_set_where_its_origin_is_not_there_yet(run: Commands) -> None:
    run(
        "import",
        "my-app.pem",
        "--protect",
        "encrypted",
        "--passphrase-from",
        "credential:azcert",
        "--new-password-env",
        "NOW",
        NOW="x1",
    )
    credentials = run.folder / "credentials"
    credentials.mkdir()
    credentials.joinpath("azcert").write_text("x1\n")
    signs = (
        "from azcert.sources.open import open_source; from azcert.certificate.signer import Algorithm;"
        "signer = open_source('store:CurrentUser/My?subject=my-app').load().signer;"
        "print(len(signer.sign(b'x', Algorithm.PS256)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", signs],
        env=os.environ | run.environment | {"CREDENTIALS_DIRECTORY": str(credentials)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "256\n"


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (["import", "nothing.pem"], 1, "nothing.pem"),
        (["import", "my-app.pem", "--store", "CurentUser/My"], 1, "did you mean CurrentUser"),
        (["import", "my-app.pem", "--protect", "none"], 2, "none of file, encrypted"),
        (["import", "my-app.pem", "--protect", "encrypted"], 2, "--passphrase-from"),
        (["import", "my-app.pem", "--protect", "encrypted", "--passphrase-from", "hunter2"], 1, "origin"),
        (["import", "my-app.pem", "--passphrase-from", "env:X"], 2, "--protect encrypted"),
        (["import", "my-app.pem", "--protect", "pkcs11:token=a", "--exportable"], 2, "not exportable"),
        (["import", "my-app.pem", "--protect", "tpm:handle=0x81000001"], 1, "Write tpm:FILE"),
        (["import", "my-app.pem", "--protect", "keyvault:kv-demo/app"], 1, "azcert new NAME --key keyvault:"),
        (["import", "my-app.pem", "--store", "dotnet:LocalMachine/My"], 1, "only CurrentUser"),
        (
            ["import", "my-app.pem", "--store", "dotnet:CurrentUser/My", "--protect", "encrypted"],
            2,
            "no passphrases",
        ),
        (["export", "ABC"], 1, "it has 3 hexadecimal digits"),
        (["export", "subject=nobody"], 1, "The store is empty"),
        (["export", "subjct=nobody"], 1, "did you mean 'subject'"),
        (["remove", "A" * 40], 1, "The store is empty"),
        (["grant", "A" * 40, "--user", "root"], 1, "The store is empty"),
        (["grant", "A" * 40, "--user", "root", "--group", "root"], 1, "The store is empty"),
        (["revoke", "A" * 40], 2, "Name one"),
        (["revoke", "A" * 40, "--user", "no-such-user"], 1, "no user 'no-such-user'"),
    ],
)
def test_mistakes_are_explained(run: Commands, arguments: list[str], code: int, words: str) -> None:
    assert words in run.fails(*arguments, code=code)


def test_removing_asks_first(run: Commands) -> None:
    thumbprint = run("import", "my-app.pem")
    assert "--yes" in run.fails("remove", thumbprint, code=2)
    assert len(run.listed()) == 1


def test_a_key_of_one_users_store_is_not_granted(run: Commands) -> None:
    thumbprint = run("import", "my-app.pem")
    refusal = run.fails("grant", thumbprint, "--store", "CurrentUser/My", "--user", "root")
    assert "LocalMachine/My" in refusal


def test_a_bundle_of_cas_becomes_an_entry_each(run: Commands) -> None:
    bundle = run.folder / "cas.pem"
    bundle.write_text(
        run.folder.joinpath("my-app.cer").read_text() + run.folder.joinpath("other.cer").read_text()
    )
    run("import", "cas.pem", "--store", "CurrentUser/Root")
    assert {entry["subject"] for entry in run.listed("CurrentUser/Root")} == {"CN=my-app", "CN=other"}
    assert "CurrentUser/Root" in run("list")


def test_dotnets_store_takes_part(run: Commands) -> None:
    run("import", "my-app.pem", "--store", "dotnet:CurrentUser/My")
    assert ".NET's CurrentUser/My" in run("list")
    (entry,) = run.listed("dotnet:CurrentUser/My")
    assert str(entry["path"]).endswith(f"{entry['thumbprint']}.pfx")
    assert run("export", "subject=my-app", "--store", "dotnet:CurrentUser/My").startswith("-----BEGIN CERT")
    run("remove", "dotnet:CurrentUser/My?subject=my-app", "--yes")
    assert run.listed("dotnet:CurrentUser/My") == []
