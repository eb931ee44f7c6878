"""A real PKCS#11 token of the test's own: SoftHSM with configuration and tokens in a temporary folder."""

from __future__ import annotations

import os
import subprocess
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

__all__ = ["MODULE", "PIN", "SO_PIN", "SoftHsm", "start_softhsm"]

PIN = "648219"
SO_PIN = "0315-so"

_PLACES = (
    "/usr/lib/softhsm/libsofthsm2.so",
    "/usr/lib64/pkcs11/libsofthsm2.so",
    "/usr/local/lib/softhsm/libsofthsm2.so",
    "/opt/homebrew/lib/softhsm/libsofthsm2.so",
)
MODULE = next((place for place in _PLACES if Path(place).exists()), _PLACES[0])


@dataclass(frozen=True)
class SoftHsm:
    """A folder of tokens. SoftHSM reads ``SOFTHSM2_CONF`` once per process: one per test process."""

    folder: Path

    def make_token(self, label: str) -> None:
        """Initialise a token; a device that is missing fails the test here."""
        subprocess.run(
            ["softhsm2-util", "--init-token", "--free", "--label", label, "--so-pin", SO_PIN, "--pin", PIN],
            check=True,
            capture_output=True,
        )

    def run_tool(self, *arguments: str) -> str:
        """Run OpenSC's ``pkcs11-tool`` on the tokens, logged in."""
        command = ["pkcs11-tool", "--module", MODULE, "--login", "--pin", PIN, *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout

    def uri(self, token: str, label: str, *, pin_file: Path | None = None, module: str = MODULE) -> str:
        """Return the URI of an object, its PIN in *pin_file* where given."""
        pin = f"&pin-source=file:{pin_file}" if pin_file else ""
        return f"pkcs11:token={quote(token)};object={quote(label)}?module-path={module}{pin}"


def start_softhsm(folder: Path) -> SoftHsm:
    """Point this process, and the programs it starts, at tokens below *folder*."""
    tokens = folder / "tokens"
    tokens.mkdir()
    configuration = folder / "softhsm2.conf"
    configuration.write_text(
        f"directories.tokendir = {tokens}\nobjectstore.backend = file\nlog.level = ERROR\n"
    )
    os.environ["SOFTHSM2_CONF"] = str(configuration)
    return SoftHsm(folder)
