"""Leases between the processes of a host."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from azcert.credential.host_lease import host_lease

if TYPE_CHECKING:
    from pathlib import Path


def nothing_done() -> bool:
    return False


def test_different_slots_are_held_at_once_and_one_slot_once(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with host_lease(path, 1, 1, nothing_done) as one, host_lease(path, 2, 1, nothing_done) as two:
        assert one
        assert two
        with host_lease(path, 1, 0.05, nothing_done) as again:
            assert not again
    with host_lease(path, 1, 0.05, nothing_done) as free:
        assert free


def test_whoever_finds_the_work_done_holds_nothing(tmp_path: Path) -> None:
    path = tmp_path / "lock"
    with host_lease(path, 1, 1, lambda: True) as leads:
        assert not leads
        with host_lease(path, 1, 0.05, nothing_done) as other:
            assert other


def test_a_child_forked_meanwhile_does_not_keep_the_lease(tmp_path: Path) -> None:
    reader, writer = os.pipe()
    with host_lease(tmp_path / "lock", 1, 1, nothing_done):
        child = os.fork()
        if child == 0:
            os.read(reader, 1)
            os._exit(0)
    with host_lease(tmp_path / "lock", 1, 0.05, nothing_done) as leads:
        assert leads
    os.write(writer, b"x")
    os.waitpid(child, 0)
    os.close(reader)
    os.close(writer)


def test_where_no_lock_can_be_had_everyone_leads(tmp_path: Path) -> None:
    with host_lease(tmp_path / "no" / "folder", 1, 1, nothing_done) as leads:
        assert leads
