"""The settings files a command writes for an application: they name a certificate and hold no secret."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING

from azcert._files import PUBLIC, write_atomic
from azcert.cli.output import talk

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["as_appsettings", "as_env", "write"]


def as_env(tenant: str, client_id: str, certificate: Path | None) -> str:
    """Return the variables azure-identity and azcert read, for a ``.env`` file."""
    lines = [f"AZURE_TENANT_ID={tenant}", f"AZURE_CLIENT_ID={client_id}"]
    if certificate is not None:
        lines.append(f"AZURE_CLIENT_CERTIFICATE_PATH={shlex.quote(str(certificate.absolute()))}")
    return "\n".join(lines) + "\n"


def as_appsettings(tenant: str, client_id: str, certificate: Path | None) -> str:
    """Return the ``Default`` section that azcert's clients read."""
    section = {"tenantId": tenant, "clientId": client_id}
    if certificate is not None:
        section["certificate"] = str(certificate.absolute())
    return json.dumps({"Default": section}, indent=2) + "\n"


def write(path: Path, content: str) -> None:
    """Write a settings file that must not exist yet."""
    write_atomic(path, content.encode(), mode=PUBLIC)
    talk(f"Wrote {path}.")
