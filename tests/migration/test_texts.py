"""One key of a file is changed, and nothing else of it."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from azcert.config.json_reader import read_json
from azcert.errors import ConfigurationError
from azcert.migration import appsettings, dotenv
from azcert.migration.settings import open_settings

if TYPE_CHECKING:
    from pathlib import Path

ENV = """# billing, production
export AZURE_TENANT_ID="contoso.onmicrosoft.com"
AZURE_CLIENT_ID = 00001111-aaaa-2222-bbbb-3333cccc4444
#AZURE_CLIENT_SECRET=old
  export AZURE_CLIENT_SECRET='Abc#d~e f'   # until June
OTHER=1"""
JSON = """{
  // the vault
  "Logging": { "LogLevel": "Debug" },
  "KeyVault": {
    "VaultUri": "https://kv-demo.vault.azure.net",
    "TenantId": "t", "ClientId": "c",
    /* "ClientSecret": "not this" */ "ClientSecret" : "Abc\\u0021\\"x",   // until June
  },
}
"""


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_a_variable_is_changed_and_every_other_byte_stays(end: str) -> None:
    text = ENV.replace("\n", end)
    (found,) = dotenv.find(text)
    assert found.secret is not None
    assert found.secret.reveal() == "Abc#d~e f"
    assert (found.tenant_id, found.client_id) == (
        "contoso.onmicrosoft.com",
        "00001111-aaaa-2222-bbbb-3333cccc4444",
    )
    change = dotenv.rewrite(text, found, "/etc/a b.pem")
    new = "AZURE_CLIENT_CERTIFICATE_PATH='/etc/a b.pem'"
    assert change.text == text.replace("AZURE_CLIENT_SECRET='Abc#d~e f'", new)
    assert (change.line, change.after) == (5, new)
    assert "Abc" not in change.before
    (after,) = dotenv.find(change.text)
    assert (after.secret, after.certificate) == (None, "/etc/a b.pem")


def test_two_secrets_in_one_file_are_refused() -> None:
    text = "AZURE_CLIENT_ID=c\nAZURE_CLIENT_SECRET=a\nAZURE_CLIENT_SECRET=b\n"
    with pytest.raises(ConfigurationError, match="2 times"):
        dotenv.rewrite(text, dotenv.find(text)[0], "/etc/a.pem")


def test_a_section_is_changed_and_every_other_byte_stays() -> None:
    (found,) = appsettings.find(JSON)
    assert found.section == "KeyVault"
    assert found.secret is not None
    assert found.secret.reveal() == 'Abc!"x'
    change = appsettings.rewrite(JSON, found, 'C:\\certs\\"a".pem')
    old = '"ClientSecret" : "Abc\\u0021\\"x"'
    assert change.text == JSON.replace(old, '"Certificate" : "C:\\\\certs\\\\\\"a\\".pem"')
    assert "Abc" not in change.before
    (after,) = appsettings.find(change.text)
    assert (after.secret, after.certificate) == (None, 'C:\\certs\\"a".pem')


def test_a_section_that_names_its_credential_is_left_to_its_owner() -> None:
    text = '{"A": {"credential": "ClientSecretCredential", "clientId": "c", "clientSecret": "s"}}'
    with pytest.raises(ConfigurationError, match="credential"):
        appsettings.rewrite(text, appsettings.find(text)[0], "a.pem")


WORDS = st.sampled_from(["clientSecret", "clientId", "tenantId", "a", "b", "ClientSecret"])
VALUES = st.text(max_size=8).filter(lambda text: text < "\ud800" or text.isascii())
TREES = st.recursive(
    VALUES | st.integers(0, 9) | st.none(),
    lambda below: st.lists(below, max_size=3) | st.dictionaries(WORDS, below, max_size=4),
    max_leaves=12,
)


@given(TREES, st.sampled_from([None, 2]))
def test_any_file_changes_in_that_key_alone_or_is_refused(tree: object, indent: int | None) -> None:
    text = json.dumps({"top": tree, "clientId": "c", "clientSecret": "s"}, indent=indent)
    found = next(each for each in appsettings.find(text) if each.section == "")
    change = appsettings.rewrite(text, found, "/etc/app.pem")
    assert json.loads(change.text) == {"top": tree, "clientId": "c", "certificate": "/etc/app.pem"}
    assert read_json(change.text).pairs is not None


@given(st.text(alphabet=st.characters(blacklist_categories=["Cs", "Cc"]), max_size=20))
def test_any_path_is_read_back(path: str) -> None:
    text = "AZURE_CLIENT_ID=c\nAZURE_CLIENT_SECRET=s\n"
    if "'" in path or not path or "\u2028" in path or "\u2029" in path:
        return
    changed = dotenv.rewrite(text, dotenv.find(text)[0], path).text
    assert dotenv.find(changed)[0].certificate == path


def test_which_of_several_sections_must_be_said(tmp_path: Path) -> None:
    section = {"tenantId": "t", "clientId": "c", "clientSecret": "s"}
    path = tmp_path / "appsettings.json"
    path.write_text(json.dumps({"A": section, "B": {"C": section}}))
    with pytest.raises(ConfigurationError, match="A, B:C"):
        open_settings(path)
    assert open_settings(path, section="b:c").identity.section == "B:C"
