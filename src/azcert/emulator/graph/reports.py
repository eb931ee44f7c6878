"""The report on when credentials were last used to sign in, which Graph has in its beta only.

What it says are documents of the kind ``graph-sign-in``: a credential's key id -> ``{"lastSignInDateTime"}``,
which the token endpoint keeps; the real report is days behind.
https://learn.microsoft.com/graph/api/reportroot-list-appcredentialsigninactivities
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azcert.emulator.graph.calls import Operation
from azcert.emulator.origin import Kind, documented

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azcert.emulator.graph.calls import Call
    from azcert.emulator.graph.directory import App
    from azcert.emulator.origin import Answer

__all__ = ["operations"]

_PATH = "reports/appCredentialSignInActivities"
ACTIVITIES = Kind(
    "graph",
    "sign-ins of credentials",
    200,
    documented("https://learn.microsoft.com/graph/api/reportroot-list-appcredentialsigninactivities"),
)


def operations() -> list[Operation]:
    """Return the rows of the table."""
    return [Operation("GET", _PATH, _list)]


def _list(call: Call, _: str) -> Answer:
    call.caller.check_may_read_activity()
    found = [row for app in call.directory.after("") for row in _rows(call, app)]
    return ACTIVITIES.answer({**call.context(_PATH), "value": found})


def _rows(call: Call, app: App) -> Iterator[dict[str, Any]]:
    for name, kind in (("keyCredentials", "certificate"), ("passwordCredentials", "clientSecret")):
        for credential in app.get(name) or ():
            activity = call.directory.world.documents.get("graph-sign-in", credential["keyId"])
            if activity is None:
                continue
            yield {
                "id": credential["keyId"],
                "keyId": credential["keyId"],
                "keyType": kind,
                "keyUsage": "verify",
                "appId": app["appId"],
                "appObjectId": app["id"],
                "servicePrincipalObjectId": app.get("servicePrincipalId"),
                "credentialOrigin": "application",
                "expirationDateTime": credential["endDateTime"],
                "signInActivity": activity,
            }
