"""Runs a command at a terminal, for what is asked only there."""

from __future__ import annotations

import os
import pty

__all__ = ["at_a_terminal"]


def at_a_terminal(command: list[str], answer: str) -> tuple[int, str]:
    """Run *command* on a terminal of its own, type *answer* once it asks, and return what was to be seen."""
    process, terminal = pty.fork()
    if process == 0:
        os.execv(command[0], command)  # noqa: S606 - the child is the command
    said = b""
    answered = False
    while True:
        try:
            part = os.read(terminal, 4096)
        except OSError:
            # Linux: the other side of the terminal was closed.
            break
        if not part:
            break
        said += part
        if b"Password" in said and not answered:
            os.write(terminal, answer.encode() + b"\n")
            answered = True
    os.close(terminal)
    return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), said.decode()
