"""The errors of `azcert.errors` that are azure-core's as well: handlers written for azure-core catch them."""

from __future__ import annotations

from typing import Any

from azure.core.exceptions import AzureError, ClientAuthenticationError

from azcert.errors import AzcertError

__all__ = ["AuthenticationError", "TransportError"]


class TransportError(AzcertError, AzureError):
    """No answer, or no whole one, came over the network; ``details["retryable"]``: may waiting help."""

    __module__ = "azcert.errors"

    def __init__(self, message: str, *, code: str, remedy: str | None = None, **details: Any) -> None:
        AzureError.__init__(self, message)
        AzcertError.__init__(self, message, code=code, remedy=remedy, **details)

    __str__ = AzcertError.__str__


class AuthenticationError(AzcertError, ClientAuthenticationError):
    """Entra ID refused the request.

    ``aadsts`` is the numeric AADSTS code or None; ``trace_id`` and ``correlation_id`` are what Microsoft's
    support asks for. ``response`` is azure-core's response object where there is one.
    """

    __module__ = "azcert.errors"

    def __init__(
        self,
        message: str,
        *,
        code: str = "authentication-failed",
        remedy: str | None = None,
        response: Any = None,
        **details: Any,
    ) -> None:
        ClientAuthenticationError.__init__(self, message=message, response=response)
        AzcertError.__init__(self, message, code=code, remedy=remedy, **details)

    __str__ = AzcertError.__str__

    @property
    def aadsts(self) -> int | None:
        """Numeric AADSTS code, e.g. 700027."""
        return self.details.get("aadsts")

    @property
    def trace_id(self) -> str | None:
        """Entra's trace id."""
        return self.details.get("trace_id")

    @property
    def correlation_id(self) -> str | None:
        """Correlation id: the request's ``client-request-id``."""
        return self.details.get("correlation_id")
