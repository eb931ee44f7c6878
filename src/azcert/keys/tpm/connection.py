"""The way to the TPM: one connection per process, used by one thread at a time, as the TPM itself is."""

from __future__ import annotations

import errno
import hashlib
import os
import stat
import tempfile
import time
from contextlib import contextmanager, nullcontext
from pathlib import Path
from threading import RLock
from typing import TYPE_CHECKING, TypeVar

from azcert.errors import AccessError, AzcertError, ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from tpm2_pytss import ESAPI

__all__ = ["DEFAULT_TCTI", "TCTI_VARIABLES", "Connection", "connect"]

TCTI_VARIABLES = ("AZCERT_TPM_TCTI", "TPM2OPENSSL_TCTI", "TPM2TOOLS_TCTI")
"""Environment variables that say how to reach the TPM, the first one set wins."""

DEFAULT_TCTI = "device:/dev/tpmrm0"
"""The kernel's resource manager: any number of programs share the TPM through it."""

T = TypeVar("T")

_TRIES = 8
_FIRST_PAUSE = 0.02  # seconds, doubled with each try: 2.5 s in all
_OPEN_TIMEOUT = 30.0  # seconds to wait for a TPM that one program at a time can open


class Connection:
    """How one TPM is reached (``tcti``), and the lock that lets one thread at it.

    A resource manager keeps programs apart, so a connection through one stays open. Every other way is for
    one program at a time: there the connection lasts for one operation, and a file lock gives the user's
    other processes their turn.
    """

    def __init__(self, tcti: str) -> None:
        self.tcti = tcti
        self._stays_open = tcti.startswith(("device:/dev/tpmrm", "tabrmd"))
        self.renew_after_fork()

    def __str__(self) -> str:
        return f"TPM {self.tcti}"

    def renew_after_fork(self) -> None:
        """Leave the connection to the parent process."""
        self._lock = RLock()
        self._esapi: ESAPI | None = None

    def run(self, work: Callable[[ESAPI], T], what: str, key: str) -> T:
        """Run *work* with the TPM, again where the TPM asks for it or the connection was lost.

        *work* leaves nothing behind in the TPM, so that it can be run again.

        :raises AzcertError: the TPM cannot be reached, or its refusal, explained.
        """
        from tpm2_pytss import TSS2_Exception  # the extra is imported where it is used

        from azcert.keys.tpm.errors import explain, is_busy, is_disconnected

        pause = _FIRST_PAUSE
        for attempt in range(1, _TRIES + 1):
            try:
                with self._open() as esapi:
                    return work(esapi)
            except TSS2_Exception as error:
                lost = is_disconnected(error)
                if lost:
                    self.close()
                if attempt == _TRIES or not (is_busy(error) or (lost and attempt == 1)):
                    raise explain(error, what, key) from error
            time.sleep(pause)
            pause *= 2
        raise AssertionError("unreachable: the last pass returns or raises")

    def close(self) -> None:
        """Close the connection; it opens again when it is needed."""
        with self._lock:
            if self._esapi is not None:
                self._esapi.close()
                self._esapi = None

    @contextmanager
    def _open(self) -> Iterator[ESAPI]:
        with self._lock, nullcontext() if self._stays_open else _machine_lock(self.tcti):
            if self._esapi is None:
                self._esapi = _connect(self.tcti)
            try:
                yield self._esapi
            finally:
                if not self._stays_open:
                    self.close()


_connections: dict[str, Connection] = {}


def _after_fork() -> None:
    for connection in _connections.values():
        connection.renew_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def connect(tcti: str | None = None, *, environment: Mapping[str, str] | None = None) -> Connection:
    """Return the process's connection to the TPM; nothing is opened yet.

    :param tcti: TSS2's name for the way there, ``device:/dev/tpmrm0`` or ``swtpm:host=localhost,port=2321``;
        without it the environment says (`TCTI_VARIABLES`), else `DEFAULT_TCTI`.
    :raises ConfigurationError: the extra is not installed.
    """
    try:
        import tpm2_pytss  # noqa: F401 - the extra is imported where it is used
    except ImportError as error:
        raise ConfigurationError(
            f"TPM keys need the package tpm2-pytss and the TSS2 libraries: {error}.",
            code="extra-missing",
            remedy="Install them: apt-get install libtss2-dev, then pip install 'azcert[tpm]'",
        ) from error
    if tcti is None:
        values = os.environ if environment is None else environment
        tcti = next((values[name] for name in TCTI_VARIABLES if values.get(name)), DEFAULT_TCTI)
    # The libraries write each refusal to stderr, expected ones too; azcert's errors say it instead.
    os.environ.setdefault("TSS2_LOG", "all+none")
    # setdefault is one step for all threads.
    return _connections.setdefault(tcti, Connection(tcti))


@contextmanager
def _machine_lock(tcti: str) -> Iterator[None]:
    """Keep this user's other processes from the TPM: without a resource manager its few slots are shared."""
    import fcntl  # Windows has neither it nor these ways to a TPM

    folder = os.environ.get("XDG_RUNTIME_DIR") or tempfile.gettempdir()
    name = hashlib.sha256(tcti.encode()).hexdigest()[:16]
    # Nobody else's file is followed or opened: O_NOFOLLOW, and the user's number in the name.
    path = Path(folder, f"azcert-tpm-{os.getuid()}-{name}.lock")
    try:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        raise ConfigurationError(
            f"The lock that gives each process its turn at the TPM cannot be taken: {error}.",
            code="tpm-lock",
            remedy="Set XDG_RUNTIME_DIR to a folder of the user's own, or use a resource manager "
            "(device:/dev/tpmrm0).",
        ) from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _connect(tcti: str) -> ESAPI:
    from tpm2_pytss import ESAPI, TSS2_Exception  # the extra is imported where it is used

    deadline = time.monotonic() + _OPEN_TIMEOUT
    pause = _FIRST_PAUSE
    while True:
        try:
            return ESAPI(tcti)
        except TSS2_Exception as error:
            if not _is_taken(tcti) or time.monotonic() + pause > deadline:
                raise _unreachable(tcti, error) from error
        time.sleep(pause)
        pause = min(pause * 2, 1.0)


def _device_of(tcti: str) -> Path | None:
    name, _, configuration = tcti.partition(":")
    return Path(configuration or "/dev/tpmrm0") if name == "device" else None


def _is_taken(tcti: str) -> bool:
    """Tell whether another program has the TPM open (/dev/tpm0 answers EBUSY)."""
    device = _device_of(tcti)
    if device is None:
        return False
    try:
        os.close(os.open(device, os.O_RDWR))
    except OSError as error:
        return error.errno == errno.EBUSY
    return False


def _unreachable(tcti: str, error: Exception) -> AzcertError:
    device = _device_of(tcti)
    if device is not None and not device.exists():
        return ConfigurationError(
            f"There is no TPM at {device} ({tcti}).",
            code="tpm-not-found",
            remedy="Switch it on in the firmware, pass the device into the container "
            f"(--device /dev/tpmrm0), or say where it is by {TCTI_VARIABLES[0]}.",
            tcti=tcti,
        )
    if device is not None and not os.access(device, os.R_OK | os.W_OK):
        mode = stat.filemode(device.stat().st_mode)
        return AccessError(
            f"User {os.getuid()} may not open the TPM {device} ({mode}).",
            code="tpm-access",
            remedy="Add the user to the group tss and log in again: sudo usermod -aG tss USER",
            tcti=tcti,
        )
    return ConfigurationError(
        f"The TPM could not be reached by {tcti!r}: {error}.",
        code="tpm-unreachable",
        remedy="Test it with `tpm2_getrandom --tcti TCTI 4`.",
        tcti=tcti,
    )
