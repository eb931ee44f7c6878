"""JSON with comments, and every wrong file: our error, with a line where there is one, never another."""

from __future__ import annotations

import json
import string
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from azcert.config.reading.json_reader import MalformedError, Node, read_json
from azcert.config.reading.load import load_settings
from azcert.errors import ConfigurationError

if TYPE_CHECKING:
    from pathlib import Path

VALUES = st.recursive(
    st.one_of(
        st.none(),
        st.booleans(),
        st.integers(),
        st.floats(allow_nan=False, allow_infinity=False),
        st.text(st.characters(exclude_categories=["Cs"])),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4), st.dictionaries(st.text(max_size=5), inner, max_size=4)
    ),
    max_leaves=20,
)
GAPS = st.sampled_from(
    ["", " ", "\n", "\t", "// one line\n", "/* several\n * lines */", "/**/", "\r\n", "//\n"]
)


def plain(node: Node) -> Any:
    if node.pairs is not None:
        return {key: plain(value) for key, _, value in node.pairs}
    if node.items is not None:
        return [plain(item) for item in node.items]
    return node.native


@st.composite
def decorated(draw: st.DrawFn) -> tuple[Any, str]:
    """A value and JSON text of it with comments and trailing commas wherever they may be."""
    value = draw(VALUES)

    def write(each: Any) -> str:
        gap, trail = draw(GAPS), draw(st.sampled_from(["", ","]))
        if isinstance(each, dict):
            inner = f",{draw(GAPS)}".join(
                f"{json.dumps(name)}{draw(GAPS)}:{draw(GAPS)}{write(item)}" for name, item in each.items()
            )
            return f"{{{gap}{inner}{draw(GAPS)}{trail if each else ''}{draw(GAPS)}}}"
        if isinstance(each, list):
            inner = f",{draw(GAPS)}".join(write(item) for item in each)
            return f"[{gap}{inner}{draw(GAPS)}{trail if each else ''}{draw(GAPS)}]"
        return json.dumps(each, ensure_ascii=draw(st.booleans()))

    return value, f"{draw(GAPS)}{write(value)}{draw(GAPS)}"


@given(decorated())
def test_json_with_comments_and_trailing_commas_reads_back(case: tuple[Any, str]) -> None:
    value, text = case
    assert plain(read_json(text)) == value


@given(VALUES)
def test_plain_json_reads_as_the_standard_library_reads_it(value: Any) -> None:
    text = json.dumps(value, indent=2)
    assert plain(read_json(text)) == json.loads(text)


@given(st.text(string.printable) | st.text('{}[]",:/*tfn01 \n', max_size=30))
def test_any_text_is_read_or_refused_with_a_place(text: str) -> None:
    try:
        read_json(text)
    except MalformedError as error:
        fault = error
    else:
        return
    lines = text.split("\n")
    assert fault.line is not None
    assert fault.column is not None
    assert 1 <= fault.line <= len(lines)
    assert 1 <= fault.column <= len(lines[fault.line - 1]) + 1


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ('{\n "a" 1}', 2, "':' is missing"),
        ("{\n\n a: 1}", 3, "key in double quotes"),
        ("{'a': 1}", 1, "key in double quotes"),
        ('{"a": 1 "b": 2}', 1, "expected ',' or '}'"),
        ('{"a": [1,,2]}', 1, "expected a value"),
        ("[1]", 1, "must hold an object"),
        ('{"a": 1} x', 1, "goes on after the end"),
        ('{"a": hunter2}', 1, "word without quotes"),
        ('{"a": 01}', 1, "expected ','"),
        ('{"a": "x\ny"}', 1, "no JSON string"),
        ("{/* ", 1, "comment has no end"),
        ("", 1, "the file ends"),
        ('{"a": {"b": 1},\n "A:B": 2}', 2, "there twice; the first time in line 1"),
        ('{"Key": 1,\n"KEY": 2}', 2, "there twice"),
        ("[" * 70, 1, "nested deeper than 64"),
        ('{"a": 1e5x}', 1, "followed by letters"),
        (r'{"a": "\ud800"}', 1, "surrogate"),
    ],
)
def test_a_fault_is_told_with_its_line(tmp_path: Path, text: str, line: int, message: str) -> None:
    path = tmp_path / "appsettings.json"
    path.write_text(text)
    with pytest.raises(ConfigurationError, match="line") as caught:
        load_settings(path, environ={})
    assert message in caught.value.message
    assert "hunter2" not in str(caught.value)
    assert caught.value.details["line"] == line
    assert caught.value.details["path"] == str(path)


@pytest.mark.parametrize("suffix", [".json", ".yaml", ".toml"])
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
@given(data=st.binary(max_size=60) | st.text(max_size=60).map(lambda text: text.encode("utf-8", "replace")))
def test_a_wrong_file_is_our_error_and_never_a_traceback(tmp_path: Path, suffix: str, data: bytes) -> None:
    path = tmp_path / f"appsettings{suffix}"
    path.write_bytes(data)
    try:
        found = load_settings(path, environ={})
    except ConfigurationError as error:
        fault = error
    else:
        assert all(str(path) in str(entry.origin) for entry in found)
        return
    assert fault.code == "malformed-settings"


@pytest.mark.parametrize(
    ("name", "text", "line", "message"),
    [
        ("a.yaml", "a: [1\n", 2, "YAML"),
        ("a.yaml", "a:\n  <<: {b: 1}\n", 2, "Merge keys"),
        ("a.yaml", "? [a, b]\n: 1\n", 1, "key must be a text"),
        ("a.yaml", "a: 1\nA: 2\n", 2, "twice"),
        ("a.toml", "a = \n", 1, "TOML"),
        ("a.toml", "a = 1\n[A]\nb = 1\n[a.c]\n", 4, "TOML"),
    ],
)
def test_faults_of_yaml_and_toml_have_lines_too(
    tmp_path: Path, name: str, text: str, line: int, message: str
) -> None:
    path = tmp_path / name
    path.write_text(text)
    with pytest.raises(ConfigurationError) as caught:
        load_settings(path, environ={})
    assert message.lower() in caught.value.message.lower()
    assert caught.value.details["line"] == line


def test_ten_lines_of_yaml_do_not_become_a_billion_values(tmp_path: Path) -> None:
    path = tmp_path / "a.yaml"
    lines = ["a0: &a0 [x, x, x, x, x, x, x, x, x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 10)]
    path.write_text("\n".join(lines))
    with pytest.raises(ConfigurationError, match="too many"):
        load_settings(path, environ={})


def test_toml_values_know_their_lines(tmp_path: Path) -> None:
    path = tmp_path / "a.toml"
    path.write_text('title = "x"\n\n[KeyVault]\nVaultUri = "https://x"\n[[L.I]]\nn = 1\n[[L.I]]\nn = 2\n')
    lines = {entry.key: entry.origin.line for entry in load_settings(path, environ={})}
    assert lines == {"title": 1, "KeyVault:VaultUri": 4, "L:I:0:n": 6, "L:I:1:n": 8}


def test_a_file_that_is_named_must_be_there(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError) as caught:
        load_settings(tmp_path / "none.json", environ={})
    assert caught.value.code == "settings-not-found"


def test_a_folder_or_a_file_without_permission_is_told_as_such(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="not a file"):
        load_settings(tmp_path, environ={})
    path = tmp_path / "a.json"
    path.write_bytes(b"{}" + b" " * (17 << 20))
    with pytest.raises(ConfigurationError, match="larger than 16 MiB"):
        load_settings(path, environ={})


def test_bytes_that_are_no_utf8_are_told_with_their_line(tmp_path: Path) -> None:
    path = tmp_path / "a.json"
    path.write_bytes(b'{\n"a": "\xff"}')
    with pytest.raises(ConfigurationError, match="not UTF-8") as caught:
        load_settings(path, environ={})
    assert caught.value.details["line"] == 2
