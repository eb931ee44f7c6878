"""What an answer or an error says about a secret: a value, that there is none, or nothing at all."""

from __future__ import annotations

import json
import sys
from enum import Enum

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

from azcert.errors import AuthenticationError

__all__ = ["Outcome", "judge_answer", "judge_error"]

_OK, _MULTIPLE = 200, 300
_THROTTLED, _TIMEOUT, _SERVER = 429, 408, 500


class Outcome(Enum):
    """What was learned about a secret."""

    KEEP = "a value: keep it"
    DROP = "there is none for this reader: forget the value"
    TROUBLE = "nothing: Key Vault is in trouble, or what leads to it"


def judge_answer(status: int, body: bytes) -> Outcome:
    """Return what an answer to a read says.

    401, 403 and 404 are answers: access was taken away, the secret was deleted or disabled. A success that
    holds no secret comes from something between here and Key Vault.
    """
    if _OK <= status < _MULTIPLE:
        return Outcome.KEEP if _holds_secret(body) else Outcome.TROUBLE
    return _judge_failure(status)


def _holds_secret(body: bytes) -> bool:
    try:
        found = json.loads(body)
    except ValueError:
        return False
    return isinstance(found, dict) and "value" in found


def _judge_failure(status: int) -> Outcome:
    if status in {_THROTTLED, _TIMEOUT} or status >= _SERVER:
        return Outcome.TROUBLE
    return Outcome.DROP


def judge_error(error: BaseException) -> Outcome:
    """Return what an error says.

    That an identity was refused is an answer: who may not sign in may not read what is kept either. All else
    is trouble: that a credential could not even be tried (``CredentialUnavailableError``, a key that is not
    within reach), that Entra ID was down or throttled, that nobody answered, or only half.
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
        if status is not None and status >= _MULTIPLE:
            return _judge_failure(status)
    return Outcome.DROP if isinstance(error, ClientAuthenticationError) else Outcome.TROUBLE
