"""One key of a file is changed, and nothing else of it."""

from __future__ import annotations

import json
import tomllib
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from azcert.config.credentials.choose import choose_credential
from azcert.config.reading.json_reader import read_json
from azcert.config.reading.load import load_settings
from azcert.errors import ConfigurationError
from azcert.migration import dotenv
from azcert.migration.appsettings import Sections
from azcert.migration.formats import Format, format_of
from azcert.migration.settings import SettingsFile, open_settings
from azcert.migration.tree import members

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
TENANT, CLIENT = "11111111-1111-1111-1111-111111111111", "22222222-2222-2222-2222-222222222222"
NEW = "/etc/billing app.pem"


def sections(suffix: str = ".json", **below: str) -> Sections:
    form = format_of(suffix)
    assert isinstance(form, Format)
    return Sections(form, f"appsettings{suffix}", below)


def opened(path: Path, **options: Any) -> SettingsFile:
    return open_settings(path, **{"environ": {}, **options})


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
    (line,) = change.lines
    assert (line.number, line.after) == (5, new)
    assert "Abc" not in line.before
    (after,) = dotenv.find(change.text)
    assert (after.secret, after.certificate) == (None, "/etc/a b.pem")


def test_two_secrets_in_one_file_are_refused() -> None:
    text = "AZURE_CLIENT_ID=c\nAZURE_CLIENT_SECRET=a\nAZURE_CLIENT_SECRET=b\n"
    with pytest.raises(ConfigurationError, match="2 times"):
        dotenv.rewrite(text, dotenv.find(text)[0], "/etc/a.pem")


@pytest.mark.parametrize("name", ["AZURE_CLIENT_CERTIFICATE_PATH", "AZURE_CLIENT_CERTIFICATE_PASSWORD"])
def test_a_certificate_beside_the_secret_is_not_hidden_behind_another(name: str) -> None:
    text = f"{name}=x\nAZURE_CLIENT_ID=c\nAZURE_CLIENT_SECRET=a\n"
    with pytest.raises(ConfigurationError, match=f"{name} stands beside AZURE_CLIENT_SECRET"):
        dotenv.rewrite(text, dotenv.find(text)[0], "/etc/a.pem")


def test_a_section_is_changed_and_every_other_byte_stays() -> None:
    (found,) = sections().find(JSON)
    assert found.section == "KeyVault"
    assert found.secret is not None
    assert found.secret.reveal() == 'Abc!"x'
    change = sections().rewrite(JSON, found, 'C:\\certs\\"a".pem')
    old = '"ClientSecret" : "Abc\\u0021\\"x"'
    assert change.text == JSON.replace(old, '"Certificate" : "C:\\\\certs\\\\\\"a\\".pem"')
    assert "Abc" not in change.lines[0].before
    (after,) = sections().find(change.text)
    assert (after.secret, after.certificate) == (None, 'C:\\certs\\"a".pem')


# Every way .NET's settings give a secret: the lines that change, and what they become.
WEB = f'"Instance": "https://login.microsoftonline.com/", "TenantId": "{TENANT}", "ClientId": "{CLIENT}"'
FLAT = f'"S:TenantId": "{TENANT}", "S:ClientId": "{CLIENT}"'
IDS = f'"TenantId": "{TENANT}", "ClientId": "{CLIENT}"'
WAYS = {
    "flat": (f'{{"S": {{{IDS}, "ClientSecret": "s"}}}}', '"ClientSecret": "s"', f'"Certificate": "{NEW}"'),
    "flat with its kind": (
        f'{{"S": {{{IDS}, "credential": "ClientSecretCredential", "clientSecret": "s"}}}}',
        '"ClientSecretCredential", "clientSecret": "s"',
        f'"ClientCertificateCredential", "certificate": "{NEW}"',
    ),
    "a section of clients' settings": (
        f'{{"S": {{"Credential": {{"CredentialSource": "ClientSecret", {IDS}, "ClientSecret": "s"}}}}}}',
        '"ClientSecret", ' + f'{IDS}, "ClientSecret": "s"',
        '"ClientCertificate", ' + f'{IDS}, "Certificate": "{NEW}"',
    ),
    "the environment's in a section": (
        f'{{"S": {{"Credential": {{"CredentialSource": "Environment", {IDS}, "ClientSecret": "s"}}}}}}',
        '"ClientSecret": "s"',
        f'"ClientCertificatePath": "{NEW}"',
    ),
    "Microsoft.Identity.Web": (
        f'{{"S": {{{WEB}, "ClientSecret": "s"}}}}',
        '"ClientSecret": "s"',
        f'"ClientCredentials": [ {{ "SourceType": "Path", "CertificateDiskPath": "{NEW}" }} ]',
    ),
    "its list": (
        f'{{"S": {{{WEB}, "ClientCredentials": [{{"SourceType": "ClientSecret", "ClientSecret": "s"}}]}}}}',
        '"ClientSecret", "ClientSecret": "s"',
        f'"Path", "CertificateDiskPath": "{NEW}"',
    ),
    "its list, by number": (
        f'{{"S": {{{WEB}, "ClientCredentials": [{{"ClientSecret": "s", "SourceType": 6}}]}}}}',
        '"ClientSecret": "s", "SourceType": 6',
        f'"CertificateDiskPath": "{NEW}", "SourceType": "Path"',
    ),
    "its older list": (
        f'{{"S": {{{WEB}, "ClientCertificates": [{{"SourceType": "ClientSecret", "ClientSecret": "s"}}]}}}}',
        '"ClientSecret", "ClientSecret": "s"',
        f'"Path", "CertificateDiskPath": "{NEW}"',
    ),
    "flat keys of user secrets": (
        f'{{{FLAT}, "S:ClientSecret": "s"}}',
        '"S:ClientSecret": "s"',
        f'"S:Certificate": "{NEW}"',
    ),
    "flat keys of Microsoft.Identity.Web": (
        f'{{"S:Instance": "https://x/", {FLAT}, "S:ClientSecret": "s"}}',
        '"S:ClientSecret": "s"',
        f'"S:ClientCredentials:0:SourceType": "Path", "S:ClientCredentials:0:CertificateDiskPath": "{NEW}"',
    ),
}


@pytest.mark.parametrize("way", WAYS)
def test_each_way_to_give_a_secret_becomes_its_way_to_give_a_certificate(way: str, tmp_path: Path) -> None:
    text, old, new = WAYS[way]
    path = tmp_path / "appsettings.json"
    path.write_text(text)
    settings = opened(path)
    assert (settings.identity.tenant_id, settings.identity.client_id) == (TENANT, CLIENT)
    change = settings.change(NEW)
    assert change.text == text.replace(old, new)
    path.write_text(change.text)
    after = opened(path).identity
    assert (after.secret, after.certificate) == (None, NEW)
    # What azcert's own settings make of it.
    spec = choose_credential(load_settings(path, environ={}).section("S"), {})
    assert spec is not None
    assert (spec.kind, tuple(spec.arguments["certificate"])) == ("CertificateCredential", (NEW,))


YAML = f"""# ours
KeyVault:   # the vault
  vaultUri: https://kv-demo.vault.azure.net
  tenantId: {TENANT}
  clientId: "{CLIENT}"
  clientSecret: Abc#~d   # until June
AzureAd:
  Instance: https://login.microsoftonline.com/
  TenantId: {TENANT}
  ClientId: {CLIENT}
  ClientCredentials:
    - SourceType: ClientSecret
      ClientSecret: 's'
"""
TOML = f"""# ours
[KeyVault]   # the vault
vaultUri = "https://kv-demo.vault.azure.net"
tenantId = "{TENANT}"
clientId = "{CLIENT}"
clientSecret = 'Abc#~d'   # until June
[AzureAd]
Instance = "https://login.microsoftonline.com/"
TenantId = "{TENANT}"
ClientId = "{CLIENT}"
ClientSecret = "s"
"""


@pytest.mark.parametrize(
    ("name", "text", "section", "edits"),
    [
        (
            "appsettings.yaml",
            YAML,
            "KeyVault",
            [("clientSecret: Abc#~d   #", f'certificate: "{NEW}"   #')],
        ),
        (
            "appsettings.yml",
            YAML,
            "AzureAd",
            [
                ("SourceType: ClientSecret", 'SourceType: "Path"'),
                ("ClientSecret: 's'", f'CertificateDiskPath: "{NEW}"'),
            ],
        ),
        ("appsettings.toml", TOML, "KeyVault", [("clientSecret = 'Abc#~d'", f'certificate = "{NEW}"')]),
        (
            "appsettings.toml",
            TOML,
            "AzureAd",
            [
                (
                    'ClientSecret = "s"',
                    f'ClientCredentials = [ {{ "SourceType" = "Path", "CertificateDiskPath" = "{NEW}" }} ]',
                )
            ],
        ),
    ],
)
def test_yaml_and_toml_keep_their_comments_and_order(
    tmp_path: Path, name: str, text: str, section: str, edits: list[tuple[str, str]]
) -> None:
    path = tmp_path / name
    path.write_text(text)
    change = opened(path, section=section).change(NEW)
    wanted = text
    for old, new in edits:
        wanted = wanted.replace(old, new)
    assert change.text == wanted
    assert all("Abc" not in line.before and "'s'" not in line.before for line in change.lines)
    # Other readers than ours take it as well.
    whole = yaml.safe_load(change.text) if name.endswith(("yaml", "yml")) else tomllib.loads(change.text)
    assert NEW in json.dumps(whole[section])


@pytest.mark.parametrize(
    ("text", "word"),
    [
        ('{"A": {"credential": "managedidentity", "clientId": "c", "clientSecret": "s"}}', "managedidentity"),
        (
            '{"AzureAd": {"ClientId": "c", "ClientSecret": "s", "ClientCredentials": [{"Skip": true}]}}',
            "a list of credentials stands beside ClientSecret",
        ),
        (
            '{"A": {"ClientId": "c", "ClientCredentials": [{"ClientSecret": "s"}, {"ClientSecret": "t"}]}}',
            "2 secrets",
        ),
        ('{"A": {"ClientId": "c", "ClientCredentials": [{"ClientSecret": "s"}]}}', "no SourceType"),
        (
            '{"A": {"ClientId": "c", "ClientSecret": "s", "certificate": "b.pem"}}',
            "certificate stands beside",
        ),
        (
            '{"A": {"ClientId": "c", "ClientSecret": "s", "ClientCertificatePassword": "p"}}',
            "clientcertificatepassword stands beside",
        ),
    ],
)
def test_what_is_not_changed_is_left_to_its_owner_with_the_commands(text: str, word: str) -> None:
    with pytest.raises(ConfigurationError, match=word) as refused:
        sections().rewrite(text, sections().find(text)[0], "a.pem")
    assert "azcert app add-certificate c NAME.cer" in str(refused.value.remedy)


def test_an_unusual_way_of_writing_is_not_guessed_at() -> None:
    text = "A: { clientId: c, clientSecret: s }\n"
    with pytest.raises(ConfigurationError, match="line 1") as refused:
        sections(".yaml").rewrite(text, sections(".yaml").find(text)[0], "a.pem")
    assert 'Write certificate: "a.pem" there instead of clientSecret' in str(refused.value.remedy)


def test_a_broken_file_is_named_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "appsettings.json"
    path.write_text('{"A": {"clientId": "c" "clientSecret": "s"}}')
    with pytest.raises(
        ConfigurationError, match=r"appsettings\.json, line 1, column 24, cannot be read as JSON"
    ):
        opened(path)


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
    found = next(each for each in sections().find(text) if each.section == "")
    change = sections().rewrite(text, found, "/etc/app.pem")
    assert json.loads(change.text) == {"top": tree, "clientId": "c", "certificate": "/etc/app.pem"}
    assert read_json(change.text).pairs is not None


@given(
    st.text(max_size=12).filter(lambda text: text.strip() and text.isprintable()),
    st.sampled_from([".yaml", ".toml"]),
)
def test_any_secret_of_yaml_and_toml_goes_and_the_rest_stays(secret: str, suffix: str) -> None:
    sign = ": " if suffix == ".yaml" else " = "
    written = json.dumps(secret, ensure_ascii=False)
    text = f'a{sign}1\nclientId{sign}"c"\nclientSecret{sign}{written} # note\nb{sign}2\n'
    (found,) = sections(suffix).find(text)
    assert found.secret is not None
    assert found.secret.reveal() == secret
    change = sections(suffix).rewrite(text, found, "/etc/app.pem")
    lines = text.splitlines()
    lines[2] = f'certificate{sign}"/etc/app.pem" # note'
    assert change.text.splitlines() == lines


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
        opened(path)
    assert opened(path, section="b:c").identity.section == "B:C"


# Layers


def write(path: Path, value: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value))
    return path


def test_nothing_that_is_read_shows_a_secret(tmp_path: Path) -> None:
    base = write(tmp_path / "appsettings.json", {"A": {"TenantId": "t", "ClientId": "c", "Other": "hush-1"}})
    layer = write(tmp_path / "appsettings.Production.json", {"A": {"ClientSecret": "hush-2"}})
    settings = opened(layer, base=base)
    shown = [settings, settings.change(NEW), sections(other="hush-3"), *settings.elsewhere({"X": "hush-2"})]
    shown += members(read_json(layer.read_text()))
    assert "hush" not in repr(shown)


def test_a_layer_with_the_secret_alone_takes_the_ids_from_the_settings_below(tmp_path: Path) -> None:
    base = write(
        tmp_path / "appsettings.json", {"AzureAd": {"Instance": "i", "TenantId": "t", "ClientId": "c"}}
    )
    layer = write(tmp_path / "appsettings.Production.json", {"azuread": {"ClientSecret": "s"}})
    secrets = write(tmp_path / "id" / "secrets.json", {"AzureAd:ClientSecret": "s"})
    for settings in (opened(layer), opened(secrets, base=base)):
        identity = settings.identity
        assert (identity.tenant_id, identity.client_id) == ("t", "c")
        assert "ClientCredentials" in settings.change("/etc/a.pem").text


def test_a_layer_over_settings_that_say_which_kind_it_is_says_it_anew(tmp_path: Path) -> None:
    ids = {"TenantId": TENANT, "ClientId": CLIENT}
    base = write(
        tmp_path / "appsettings.json",
        {
            "AzureAd": {
                "Instance": "https://x/",
                **ids,
                "ClientCredentials": [{"SourceType": "ClientSecret"}],
            },
            "Vault": {**ids, "credential": "ClientSecretCredential"},
        },
    )
    flat = {"AzureAd:ClientCredentials:0:ClientSecret": "s", "Vault:ClientSecret": "t"}
    secrets = write(tmp_path / "id" / "secrets.json", flat)
    for section in ("AzureAd", "Vault"):
        settings = opened(secrets, base=base, section=section)
        settings.write(settings.change(NEW))
        settings.backup.unlink()
    layer = tmp_path / "appsettings.Production.json"
    layer.write_bytes(secrets.read_bytes())
    assert json.loads(layer.read_text()) == {
        "AzureAd:ClientCredentials:0:SourceType": "Path",
        "AzureAd:ClientCredentials:0:CertificateDiskPath": NEW,
        "Vault:Credential": "ClientCertificateCredential",
        "Vault:Certificate": NEW,
    }
    settings_of_both = load_settings(base, environ={})
    for section in ("AzureAd", "Vault"):
        spec = choose_credential(settings_of_both.section(section), {})
        assert spec is not None
        assert (spec.kind, tuple(spec.arguments["certificate"])) == ("CertificateCredential", (NEW,))


def test_where_the_secret_is_instead_is_said(tmp_path: Path) -> None:
    bare = {"AzureAd": {"TenantId": "t", "ClientId": "c"}}
    (tmp_path / "ours.csproj").write_text("<Project><UserSecretsId>ours</UserSecretsId></Project>")
    base = write(tmp_path / "appsettings.json", bare)
    environ = {"HOME": str(tmp_path)}
    with pytest.raises(ConfigurationError) as nowhere:
        opened(base, environ=environ)
    assert "user secrets and this shell's environment have none" in str(nowhere.value.remedy)
    with pytest.raises(ConfigurationError) as variable:
        opened(base, environ={**environ, "AzureAd__ClientSecret": "s"})
    assert "the environment variable AzureAd__ClientSecret" in str(variable.value.remedy)
    secrets = write(tmp_path / ".microsoft/usersecrets/ours/secrets.json", {"AzureAd:ClientSecret": "s"})
    layer = write(tmp_path / "appsettings.Development.json", {"AzureAd": {"ClientSecret": "s"}})
    with pytest.raises(ConfigurationError) as files:
        opened(base, environ=environ)
    assert f"azcert migrate {layer}" in str(files.value.remedy)
    assert f"{secrets} (section AzureAd)" in str(files.value.remedy)


def test_other_places_that_hold_the_same_secret_are_known(tmp_path: Path) -> None:
    section = {"tenantId": "t", "clientId": "c", "clientSecret": "the-secret"}
    path = write(tmp_path / "appsettings.json", {"A": section})
    other = write(tmp_path / "appsettings.Staging.json", {"A": {"clientSecret": "another one"}})
    (tmp_path / ".env").write_text("AZURE_CLIENT_ID=x\nAZURE_CLIENT_SECRET=the-secret\n")
    (tmp_path / ".env.example").write_text("AZURE_CLIENT_ID=c\nAZURE_CLIENT_SECRET=put-it-here\n")
    write(tmp_path / "appsettings.Test.json", {"A": {"clientId": "d", "clientSecret": "not ours"}})
    settings = opened(path)
    settings.write(settings.change("/etc/a.pem"))
    places = opened(path).elsewhere({"SECRET": "the-secret", "OTHER": "not it"})
    assert [str(each) for each in places] == [
        str(tmp_path / ".env"),
        f"{other} (section A)",
        "the environment variable SECRET",
    ]
