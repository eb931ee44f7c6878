"""A running emulator, spoken to from another process through its runtime folder."""

from __future__ import annotations

import contextlib
import http.client
import json
import os
import ssl
import stat
import tempfile
import time
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from azcert._files import write_atomic
from azcert.emulator.hosts import CONTROL_HOST
from azcert.errors import AccessError, ConfigurationError, EmulatorError

__all__ = ["Remote", "default_folder", "private_folder", "write_runtime"]

_FILE = "emulator.json"
_SECONDS = 10.0


def default_folder() -> Path:
    """Return where a running emulator keeps its runtime files, one per user."""
    named = os.environ.get("AZCERT_EMULATOR")
    if named:
        return Path(named)
    runtime = os.environ.get("XDG_RUNTIME_DIR")
    if runtime:
        return Path(runtime) / "azcert-emulator"
    user = os.getuid() if hasattr(os, "getuid") else "user"
    return Path(tempfile.gettempdir()) / f"azcert-emulator-{user}"


def private_folder(folder: Path) -> Path:
    """Make *folder* for this user alone, and return it.

    :raises AccessError: it is another user's, or others may write to it: they could plant a CA there.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    found = folder.lstat()
    mine = not hasattr(os, "getuid") or found.st_uid == os.getuid()
    if not stat.S_ISDIR(found.st_mode) or not mine or found.st_mode & 0o022:
        raise AccessError(
            f"{folder} is no folder of this user alone.",
            code="folder-not-private",
            remedy="Name another one with --folder.",
            path=str(folder),
        )
    return folder


def write_runtime(
    folder: Path, *, proxy_url: str, secret: str, authority: bytes, changes: dict[str, str | None]
) -> None:
    """Write what `Remote` needs."""
    content = {
        "pid": os.getpid(),
        "proxy": proxy_url,
        "secret": secret,
        "authority": authority.decode(),
        "environment": changes,
    }
    write_atomic(folder / _FILE, json.dumps(content, indent=2).encode(), overwrite=True)


class Remote:
    """The emulator of a runtime folder.

    :raises EmulatorError: ``not-running``: nothing there says that one was started.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        try:
            content = json.loads((folder / _FILE).read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise _not_running(folder, "there is no runtime file") from error
        self.pid: int = content["pid"]
        self.proxy_url: str = content["proxy"]
        self.environment: dict[str, str | None] = content["environment"]
        self._secret: str = content["secret"]
        self._authority: str = content["authority"]

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """Ask the control endpoint and return its answer.

        :raises EmulatorError: ``not-running``: nobody answers.
        :raises ConfigurationError: ``refused``: it does not take *body*.
        """
        address = urlsplit(self.proxy_url)
        context = ssl.create_default_context(cadata=self._authority)
        connection = http.client.HTTPSConnection(
            str(address.hostname), address.port, timeout=_SECONDS, context=context
        )
        connection.set_tunnel(CONTROL_HOST, 443)
        headers = {"Authorization": f"Bearer {self._secret}", "Content-Type": "application/json"}
        try:
            with contextlib.closing(connection):
                connection.request(method, path, json.dumps(body) if body is not None else None, headers)
                response = connection.getresponse()
                answer = json.loads(response.read())
        except (OSError, ValueError, http.client.HTTPException) as error:
            raise _not_running(self.folder, f"{self.proxy_url} does not answer as one: {error}") from error
        if response.status >= http.client.BAD_REQUEST:
            raise ConfigurationError(
                f"The emulator refused {method} {path}: {answer.get('error')}.", code="refused"
            )
        return answer

    def stop(self) -> None:
        """Stop it, and return when it has stopped.

        :raises EmulatorError: ``not-running``; or ``not-stopped``: it still answers after ten seconds.
        """
        self.call("GET", "/status")
        # It may be gone before its answer is here.
        with contextlib.suppress(EmulatorError):
            self.call("POST", "/stop")
        end = time.monotonic() + _SECONDS
        while self.is_alive():
            if time.monotonic() > end:
                raise EmulatorError(
                    f"The emulator at {self.folder} was asked to stop and still answers.",
                    code="not-stopped",
                    remedy=f"Ask its operator, or end process {self.pid}.",
                    pid=self.pid,
                )
            time.sleep(0.02)

    def is_alive(self) -> bool:
        """Tell whether it answers."""
        try:
            self.call("GET", "/status")
        except EmulatorError:
            return False
        return True


def _not_running(folder: Path, reason: str) -> EmulatorError:
    return EmulatorError(
        f"No emulator runs at {folder}: {reason}.",
        code="not-running",
        remedy="Start one with azcert emulator start, or name its --folder.",
        folder=str(folder),
    )
