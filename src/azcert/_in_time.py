"""A limit for calls that have none of their own.

A socket bounds each wait, not their sum, and the look-up of a name not at all.
"""

from __future__ import annotations

import contextvars
import threading
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["in_time"]

T = TypeVar("T")


def in_time(call: Callable[[], T], seconds: float | None) -> T:
    """Return what *call* returns or raise what it raises, unless that takes longer.

    It is called in a thread of its own. One that is left behind, by a server that sends a byte now and then,
    ends when the server does, or with the program.

    :param seconds: None for no limit, and no thread.
    :raises TimeoutError: it took longer.
    """
    if seconds is None:
        return call()
    results: list[T] = []
    errors: list[BaseException] = []
    waiting = True
    # What the caller has set, the span it is in for one, holds there too.
    context = contextvars.copy_context()

    def work() -> None:
        try:
            results.append(context.run(call))
        except BaseException as error:  # noqa: BLE001  (raised in the caller)
            if waiting:
                errors.append(error)

    thread = threading.Thread(target=work, name="azcert-call", daemon=True)
    try:
        thread.start()
    except RuntimeError:
        # A program that is ending starts no threads; what it calls then has only limits of its own.
        return call()
    thread.join(seconds)
    waiting = False
    if errors:
        error = errors.pop()
        try:
            raise error
        finally:
            # Its traceback leads to these frames: no circle, which would keep sockets until it is collected.
            del error
    if not results:
        raise TimeoutError(f"no whole answer in {seconds:.1f} s")
    return results[0]
