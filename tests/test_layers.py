"""Imports point down only: the table below is the layout, and this test holds the code to it."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

SOURCE = Path(__file__).parent.parent / "src" / "azcert"

FLOOR = {
    "errors",
    "_azure_errors",
    "_redact",
    "_files",
    "_late",
    "_locks",
    "_threads",
    "_values",
    "__version__",
}

# Room -> rooms it may import; the floor is always allowed. A room imports nothing that stands below it here.
ROOMS: dict[str, set[str]] = {
    "certificate": set(),
    "wire": set(),
    "keys": {"certificate", "wire"},
    "stores": {"certificate", "keys"},
    "sources": {"certificate", "keys", "stores"},
    "entra": {"certificate", "wire"},
    "credential": {"certificate", "wire", "sources", "entra"},
    "vault": {"wire", "credential"},
    "config": {"certificate", "wire", "stores", "sources", "credential", "vault"},
    "registration": {"certificate", "wire", "entra"},
    "inventory": {"certificate", "registration", "wire"},
    "rotation": {
        "certificate",
        "sources",
        "stores",
        "registration",
        "wire",
        "keys",
        "entra",
        "credential",
    },
    "migration": {"certificate", "sources", "registration", "rotation", "config"},
    # The stand-in never imports the client's protocol code: a shared mistake would cancel itself out.
    "emulator": {"certificate", "keys"},
}
# Folders of one room: each may import those before it, and nothing else of the room than what it names here.
FOLDERS: dict[str, dict[str, set[str]]] = {
    "sources": {
        "uris": set(),
        "openers": {"source", "open"},
        "key_places": {"open", "writing"},
    },
    "config": {
        "reading": set(),
        "credentials": {"options"},
        "clients": {"options"},
    },
}
# Brothers that never import each other.
SIBLINGS = ("keys", "stores", "credential/caches")
# What the brothers of one room have in common.
SHARED = {"__init__", "store", "entry", "names", "passphrase", "ownership", "find"}


def modules() -> list[Path]:
    return sorted(SOURCE.rglob("*.py"))


def imported(path: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            assert node.level == 0, f"{path}: relative import"
            names |= {node.module} | {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.removeprefix("azcert.") for name in names if name.startswith("azcert.")}


@pytest.mark.parametrize("path", modules(), ids=lambda path: str(path.relative_to(SOURCE)))
def test_imports_point_down(path: Path) -> None:
    relative = path.relative_to(SOURCE)
    room = relative.parts[0].removesuffix(".py")
    if room in {"__init__", "__main__", "aio", "cli"}:
        return
    allowed = FLOOR - {room} if room in FLOOR else FLOOR | {room} | ROOMS[room]
    wrong = {name for name in imported(path) if name.split(".")[0] not in allowed}
    assert not wrong, f"{relative} imports {sorted(wrong)}; allowed rooms: {sorted(allowed)}"


@pytest.mark.parametrize("room", FOLDERS)
def test_folders_of_a_room_come_in_order(room: str) -> None:
    before: set[str] = set()
    for folder, others in FOLDERS[room].items():
        allowed = before | {folder} | others
        for path in sorted((SOURCE / room / folder).glob("*.py")):
            inside = {name.split(".")[1] for name in imported(path) if name.startswith(f"{room}.")}
            assert inside <= allowed, f"{path.relative_to(SOURCE)} imports {sorted(inside - allowed)}"
        before.add(folder)


@pytest.mark.parametrize("room", SIBLINGS)
def test_brothers_do_not_import_each_other(room: str) -> None:
    folder = SOURCE / room
    names = {path.stem for path in folder.glob("*.py")} - SHARED
    package = room.replace("/", ".")
    for path in sorted(folder.glob("*.py")):
        others = {f"{package}.{name}" for name in names - {path.stem}}
        assert not others & imported(path), f"{path.name} imports a brother"


def test_only_the_command_line_prints_prompts_and_exits() -> None:
    for path in modules():
        if path.relative_to(SOURCE).parts[0] in {"cli", "__main__.py"}:
            continue
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Call):
                called = ast.unparse(node.func)
                assert called not in {"print", "input", "sys.exit", "exit", "click.echo"}, (
                    f"{path}: {called}()"
                )


def test_every_room_is_in_the_table() -> None:
    rooms = {path.name for path in SOURCE.iterdir() if path.is_dir() and path.name != "__pycache__"}
    assert rooms - {"aio", "cli"} <= set(ROOMS)
