"""Every recording of the real services, played against the emulator."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from support import replay

if TYPE_CHECKING:
    from pathlib import Path

FILES = replay.recordings("entra", "keyvault")
# A clone of the repository alone has no recordings: one test says so, so that none is skipped.
CASES = [pytest.param(path, id=path.stem) for path in FILES] or [
    pytest.param(None, id="there-are-no-recordings-here")
]


@pytest.mark.parametrize("slow", [False, True], ids=["at-once", "with-delays"])
@pytest.mark.parametrize("path", CASES)
def test_answers_as_the_real_service_did(path: Path | None, slow: bool) -> None:
    if path is None:
        assert not replay.folder().exists()
        return
    player = replay.Player(path, slow)
    player.play()
    assert not player.failures, "\n".join(player.failures)


def test_the_folder_of_recordings_is_complete_or_absent() -> None:
    # Without the folder (a clone of the repository alone) there is nothing to play; a folder that is there,
    # but holds none of the main job's recordings, is a wrong AZCERT_EXCHANGES.
    names = {path.stem for path in FILES}
    assert not replay.folder().exists() or {"entra-cert-success", "keyvault-secret-crud"} <= names, (
        f"{replay.folder()} holds no recordings of the main job"
    )
