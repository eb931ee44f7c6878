"""What a chain of credentials tried: which, how long, why not, and what would make it work."""

from __future__ import annotations

import os
from contextvars import ContextVar
from dataclasses import asdict, dataclass
from json import JSONDecodeError
from time import monotonic, time
from typing import TYPE_CHECKING, Any

from azcert.credential.backoff import retry_after_seconds
from azcert.credential.chain.environment import missing_variables
from azcert.errors import AuthenticationError, AzcertError

if TYPE_CHECKING:
    from collections.abc import Sequence

__all__ = ["Attempt", "Attempts", "current", "failure", "out_of_reach"]

_LONGEST_REASON = 400
_THROTTLED, _SERVER = 429, 500

# What would make each link of azure-identity's chain work.
_ADVICE = {
    "EnvironmentCredential": "set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_CERTIFICATE_PATH "
    "(a file, or any azcert source such as store:CurrentUser/My?thumbprint=...)",
    "WorkloadIdentityCredential": "run in a pod with Microsoft Entra Workload ID, which sets "
    "AZURE_FEDERATED_TOKEN_FILE",
    "ManagedIdentityCredential": "run on an Azure host that has a managed identity",
    "SharedTokenCacheCredential": "sign in with Visual Studio on Windows",
    "VisualStudioCodeCredential": "pip install azure-identity-broker, and sign in with the Azure Resources "
    "extension",
    "AzureCliCredential": "install the Azure CLI and run: az login",
    "AzurePowerShellCredential": "install the Az.Accounts module and run: Connect-AzAccount",
    "AzureDeveloperCliCredential": "install the Azure Developer CLI and run: azd auth login",
    "BrokerCredential": "on Windows, pip install azure-identity-broker",
    "InteractiveBrowserCredential": "run where a browser can be opened",
}


@dataclass(frozen=True)
class Attempt:
    """One credential that was tried.

    :param reason: why it gave no token, None if it gave one.
    :param milliseconds: how long that took.
    """

    credential: str
    reason: str | None
    milliseconds: int
    remedy: str | None = None


class Attempts:
    """The attempts of one call."""

    def __init__(self) -> None:
        self.made: list[Attempt] = []
        self.retry_at: float | None = None
        """When a service that was out of reach may be asked again, in seconds since the epoch."""

    def add(self, credential: str, started: float, error: BaseException | None) -> None:
        """Note that *credential* was tried, since *started* on the monotonic clock."""
        reason = None if error is None else _reason(credential, error)
        from azure.identity import CredentialUnavailableError  # slow, and loaded by then

        remedy = again = None
        if isinstance(error, AzcertError):
            remedy, again = error.remedy, error.details.get("retry_at")
        elif isinstance(error, CredentialUnavailableError):
            # One that was tried and refused is set up: advice on that would mislead.
            remedy = f"to use it, {_ADVICE[credential]}" if credential in _ADVICE else None
        elif error is not None:
            again = out_of_reach(error, time())
            remedy = None if again is None else "nobody decided on it: try again"
        self.retry_at = self.retry_at or again
        self.made.append(Attempt(credential, reason, int((monotonic() - started) * 1000), remedy))


def out_of_reach(error: BaseException, now: float) -> float | None:
    """Return when to ask again if *error* of azure-identity says that Entra ID did not decide, else None.

    Its synchronous classes hide the answer behind MSAL's errors, its asynchronous ones keep it.

    :param now: in seconds since the epoch.
    """
    from azure.core.exceptions import (  # loaded by then
        HttpResponseError,
        ServiceRequestError,
        ServiceResponseError,
    )

    each: BaseException | None = error
    while each is not None:
        if isinstance(each, HttpResponseError) and each.status_code is not None:
            if each.status_code != _THROTTLED and each.status_code < _SERVER:
                return None
            header = getattr(each.response, "headers", {}).get("Retry-After")
            return now + (retry_after_seconds(header, now) or 0)
        if isinstance(each, ServiceRequestError | ServiceResponseError | JSONDecodeError):
            return now
        if type(each).__name__ == "MsalServiceError":  # raised for a status from 500 on
            return now
        each = each.__cause__ or each.__context__
    return None


current: ContextVar[Attempts | None] = ContextVar("azcert_attempts", default=None)
"""Where the links of a chain note what they did; one list for each call, whatever its thread or task."""


def failure(
    attempts: Sequence[Attempt], scopes: Sequence[str], *, chain: str, retry_at: float | None
) -> AuthenticationError:
    """Return the error that lists *attempts*; *retry_at* says that a service was out of reach."""
    lines = [f"No credential of {chain} gave a token for {' '.join(scopes)}."]
    for each in attempts:
        lines.append(f"  {each.credential} ({each.milliseconds} ms): {each.reason}")
        if each.remedy:
            lines.append(f"    {each.remedy}")
    selection = os.environ.get("AZURE_TOKEN_CREDENTIALS")
    if selection:
        lines.append(f"  AZURE_TOKEN_CREDENTIALS={selection} left out the others.")
    details: dict[str, Any] = {"attempts": [asdict(each) for each in attempts]}
    if retry_at is not None:
        details["retry_at"] = retry_at
    return AuthenticationError("\n".join(lines), code="no-credential", **details)


def _reason(credential: str, error: BaseException) -> str:
    text = " ".join(str(getattr(error, "message", None) or error).split())
    if credential == "EnvironmentCredential" and "not fully configured" in text:
        missing = missing_variables(os.environ)
        return f"not set: {', '.join(missing)}" if missing else text
    # azure-identity appends where to read more; the advice below is shorter.
    for tail in (" To mitigate this issue", " Visit https://", " To troubleshoot"):
        text = text.partition(tail)[0]
    return text if len(text) <= _LONGEST_REASON else f"{text[:_LONGEST_REASON]}..."
