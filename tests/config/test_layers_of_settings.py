"""The laws of layering: later wins, case does not matter, lists merge by index, null hides."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from azcert.config.reading.layers import code_layer, fold, merge
from azcert.config.reading.load import load_settings
from azcert.config.reading.settings import Settings
from azcert.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

NAMES = st.text("abcXYZäß_1", min_size=1, max_size=4)
TEXTS = st.text(st.characters(codec="utf-8", exclude_categories=["Cs"]), max_size=10)
SCALARS = st.one_of(TEXTS, st.integers(), st.booleans())
TREES = st.recursive(
    st.dictionaries(NAMES, SCALARS, max_size=3),
    lambda inner: st.dictionaries(
        NAMES, st.one_of(SCALARS, inner, st.lists(SCALARS, max_size=3)), max_size=3
    ),
    max_leaves=8,
)

unhurried = settings(suppress_health_check=[HealthCheck.too_slow])  # the machine may be busy


def flat(tree: Any, prefix: str = "") -> dict[str, Any]:
    """A model of the layer: what .NET's flat keys of a tree are, folded."""
    pairs = tree.items() if isinstance(tree, dict) else enumerate(tree)
    found: dict[str, Any] = {}
    for name, value in pairs:
        key = f"{prefix}:{name}" if prefix else str(name)
        if isinstance(value, dict | list):
            found.update(flat(value, key))
        else:
            found[fold(key)] = value
    return found


@unhurried
@given(TREES, TREES)
def test_the_later_layer_wins_for_each_key_and_leaves_the_others(first: Any, second: Any) -> None:
    merged = merge([code_layer(first, rank=0), code_layer(second, rank=1)])
    expected = {**flat(first), **flat(second)}
    assert {key: entry.native for key, entry in merged.items()} == expected
    for key, entry in merged.items():
        assert entry.origin.rank == (1 if key in flat(second) else 0)


@unhurried
@given(TREES, TREES, TREES)
def test_merging_is_associative(first: Any, second: Any, third: Any) -> None:
    layers = [code_layer(tree, rank=rank) for rank, tree in enumerate((first, second, third))]
    assert merge([merge(layers[:2]), layers[2]]) == merge([layers[0], merge(layers[1:])])


@unhurried
@given(TREES)
def test_a_layer_over_itself_changes_nothing(tree: Any) -> None:
    layer = code_layer(tree, rank=0)
    assert merge([layer, layer]) == layer


@given(st.text("abcdefXYZ", min_size=1, max_size=6), TEXTS.filter(bool))
def test_case_does_not_matter(name: str, value: str) -> None:
    found = Settings(code_layer({"Section": {name: value}}, rank=0)).section("sECTION")
    literal = value.replace("$$", "$", 1) if value.startswith("$$") else value
    assert found.text(name.swapcase()) == literal


@given(st.lists(st.text("ab", min_size=1), max_size=4), st.lists(st.text("cd", min_size=1), max_size=4))
def test_lists_merge_by_index(first: list[str], second: list[str]) -> None:
    merged = Settings(merge([code_layer({"L": first}, rank=0), code_layer({"L": second}, rank=1)]))
    assert (merged.texts("L") or []) == [*second, *first[len(second) :]]


def test_a_null_of_a_later_layer_hides_the_earlier_value(tmp_path: Path) -> None:
    (tmp_path / "appsettings.json").write_text('{"A": {"B": "x", "C": "y"}}')
    (tmp_path / "appsettings.Test.json").write_text('{"a": {"b": null}}')
    found = load_settings(tmp_path / "appsettings.json", environment="Test", environ={}).section("A")
    assert found.text("B") is None
    assert found.entry("B") is None
    assert found.names() == ["C"]


def test_layers_come_in_dotnets_order(tmp_path: Path) -> None:
    base = tmp_path / "appsettings.json"
    keys = ["File", "Variant", "Secrets", "Environment", "Code"]
    base.write_text(json.dumps({"UserSecretsId": "my-app", **dict.fromkeys(keys, "file")}))
    (tmp_path / "appsettings.Development.json").write_text(json.dumps(dict.fromkeys(keys[1:], "variant")))
    secrets = tmp_path / ".microsoft" / "usersecrets" / "my-app" / "secrets.json"
    secrets.parent.mkdir(parents=True)
    secrets.write_text(json.dumps(dict.fromkeys(keys[2:], "secrets")))
    environ = {
        "HOME": str(tmp_path),
        "DOTNET_ENVIRONMENT": "Development",
        "ENVIRONMENT": "environment",
        "CODE": "environment",
    }
    found = load_settings(base, environ=environ, values={"Code": "code"})
    assert [found.text(key) for key in keys] == ["file", "variant", "secrets", "environment", "code"]
    entry = found.entry("Secrets")
    assert entry is not None
    assert str(entry.origin) == f"{secrets}, line 1"


def test_user_secrets_count_in_development_only(tmp_path: Path) -> None:
    secrets = tmp_path / ".microsoft" / "usersecrets" / "my-app" / "secrets.json"
    secrets.parent.mkdir(parents=True)
    secrets.write_text('{"A:B": "secret"}')
    environ = {"HOME": str(tmp_path)}
    found = load_settings({}, user_secrets="my-app", environ=environ)
    assert found.section("A").text("B") is None
    found = load_settings({}, user_secrets="my-app", environment="Development", environ=environ)
    assert found.section("A").text("B") == "secret"


def test_environment_variables_name_sections_with_two_underscores_and_may_have_a_prefix() -> None:
    environ = {"MYAPP_KeyVault__VaultUri": "https://a", "KEYVAULT__VAULTURI": "https://b"}
    assert load_settings({}, environ=environ).section("KeyVault").text("VaultUri") == "https://b"
    found = load_settings({}, environ=environ, prefix="myapp_")
    assert found.section("KeyVault").text("VaultUri") == "https://a"
    entry = found.section("KeyVault").entry("VaultUri")
    assert entry is not None
    assert str(entry.origin) == "environment variable MYAPP_KeyVault__VaultUri"


@pytest.mark.parametrize("prefix", ["CUSTOM", "SERVICEBUS", "EVENTHUB", "SQLAZURE"])
def test_connection_strings_of_app_service_are_where_dotnet_puts_them(prefix: str) -> None:
    found = load_settings({}, environ={f"{prefix}CONNSTR_Main": "Endpoint=x"})
    assert found.section("ConnectionStrings").text("Main") == "Endpoint=x"


def test_a_value_remembers_file_line_and_key(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text('{\n  "KeyVault": {\n    // where\n    "VaultUri": 5,\n  },\n}\n')
    entry = load_settings(path, environ={}).section("keyvault").entry("vaulturi")
    assert entry is not None
    assert (entry.key, str(entry.origin)) == ("KeyVault:VaultUri", f"{path}, line 4")


@pytest.mark.parametrize(
    ("suffix", "text"),
    [
        (".json", '{"S": {"Name": "x", "On": true, "List": ["a", "b"], "Span": "00:00:05"}}'),
        (".toml", '[S]\nName = "x"\nOn = true\nList = ["a", "b"]\nSpan = "00:00:05"\n'),
        (".yaml", "S:\n  Name: x\n  On: true\n  List: [a, b]\n  Span: 00:00:05\n"),
    ],
)
def test_json_toml_and_yaml_say_the_same(tmp_path: Path, suffix: str, text: str) -> None:
    path = tmp_path / f"appsettings{suffix}"
    path.write_text(text)
    found = load_settings(path, environ={}).section("s")
    span = found.duration("Span")
    assert (found.text("name"), found.boolean("on"), found.texts("list")) == ("x", True, ["a", "b"])
    assert span is not None
    assert span.total_seconds() == 5


def test_yaml_means_what_it_says_and_not_what_yaml_1_1_made_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    path.write_text("country: no\nspan: 10:00:00\nversion: 1.10\nanswer: yes\n")
    found = load_settings(path, environ={})
    assert [found.text(name) for name in found.names()] == ["no", "10:00:00", "1.10", "yes"]


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "utf-32", "utf-8"])
def test_byte_order_marks_are_understood(tmp_path: Path, encoding: str) -> None:
    path = tmp_path / "a.json"
    path.write_bytes('{"Näme": "Wört"}'.encode(encoding))
    assert load_settings(path, environ={}).text("näme") == "Wört"


@pytest.mark.parametrize("name", ["../../etc", "", ".", "a/b"])
def test_a_user_secrets_id_is_a_name_and_no_path(tmp_path: Path, name: str) -> None:
    if not name:
        assert load_settings({}, user_secrets=name, environ={}).names() == []
        return
    with pytest.raises(ConfigurationError) as caught:
        load_settings({}, user_secrets=name, environment="Development", environ={"HOME": str(tmp_path)})
    assert caught.value.code == "wrong-user-secrets-id"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(name=st.text(max_size=12))
def test_an_environments_name_never_leaves_the_folder(tmp_path: Path, name: str) -> None:
    path = tmp_path / "appsettings.json"
    path.write_text("{}")
    try:
        load_settings(path, environment=name, environ={})
    except ConfigurationError as error:
        fault = error
    else:
        return
    if "/" in name or "\\" in name:
        assert fault.code == "wrong-environment"
    else:
        assert (fault.code, "\0" in name) == ("settings-unreadable", True)
