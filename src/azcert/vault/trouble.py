"""Which errors mean that Key Vault, or what leads to it, is in trouble; the others are answers."""

from __future__ import annotations

import sys

from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

from azcert.errors import AuthenticationError
from azcert.vault.policy import Outcome, judge_answer

__all__ = ["judge_error"]


def judge_error(error: BaseException) -> Outcome:
    """Return what an error says about a secret.

    That an identity was refused is an answer: who may not sign in may not read what is kept either. That a
    credential could not even be tried (``CredentialUnavailableError``), that Entra ID was down or
    throttled, or that nobody answered, is trouble.
    """
    # Only a sign-in that nobody decided on says when it can be tried again.
    if isinstance(error, AuthenticationError) and error.details.get("retry_at") is not None:
        return Outcome.TROUBLE
    # Where azure-identity was never imported, none of its errors can have been raised.
    identity = sys.modules.get("azure.identity")
    if identity is not None and isinstance(error, identity.CredentialUnavailableError):
        return Outcome.TROUBLE
    if isinstance(error, HttpResponseError):
        status = getattr(error.response, "status_code", None) or error.status_code
        if status is not None and judge_answer(status) is Outcome.TROUBLE:
            return Outcome.TROUBLE
        return Outcome.DROP
    if isinstance(error, ClientAuthenticationError):
        return Outcome.DROP
    return Outcome.TROUBLE if isinstance(error, AzureError | OSError) else Outcome.DROP
