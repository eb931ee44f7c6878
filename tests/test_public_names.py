"""What is public: every name listed is there, comes from its home, and the sync and async sets agree."""

from __future__ import annotations

import subprocess
import sys

import pytest

import azcert
import azcert.aio


@pytest.mark.parametrize("name", azcert.__all__)
def test_every_public_name_can_be_imported(name: str) -> None:
    assert getattr(azcert, name) is not None
    assert name in dir(azcert)


@pytest.mark.parametrize("name", azcert.aio.__all__)
def test_every_asynchronous_name_has_a_synchronous_brother(name: str) -> None:
    assert name in azcert.__all__
    assert getattr(azcert.aio, name) is not getattr(azcert, name)


def test_a_name_that_is_not_there_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'Nothing'"):
        azcert.Nothing  # noqa: B018


def test_importing_azcert_alone_imports_no_other_library() -> None:
    code = "import sys; before = set(sys.modules); import azcert; print(*set(sys.modules) - before)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert {
        name for name in done.stdout.split() if name.split(".")[0] in {"azure", "cryptography", "click"}
    } == set()
