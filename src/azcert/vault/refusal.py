"""What Key Vault means when it refuses, and what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from azure.core.exceptions import ClientAuthenticationError, HttpResponseError

from azcert.errors import AccessError, AzcertError, SelectionError, TransportError
from azcert.vault.outcome import Outcome, judge_error
from azcert.wire.pipeline import reason

if TYPE_CHECKING:
    from azure.core.exceptions import AzureError

__all__ = ["explain"]

_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND, _CONFLICT = 401, 403, 404, 409
# What the caller wanted -> (the role's name in azcert, in Azure, the permission of an access policy).
_RIGHTS = {
    "read": ("secrets-reader", "Key Vault Secrets User", "get"),
    "list": ("secrets-reader", "Key Vault Secrets User", "list"),
    "store": ("secrets-officer", "Key Vault Secrets Officer", "set"),
}


def explain(error: AzureError, action: str, vault: str, secret: str = "") -> AzcertError:
    """Return azcert's error for what Key Vault, or what leads to it, answered.

    Source of the codes: learn.microsoft.com/azure/key-vault/general/rest-error-codes and recorded answers.

    :param action: ``read``, ``store`` or ``list``.
    :param vault: its address.
    :param secret: name, with ``/VERSION`` where one was asked for; empty for a list.
    :return: an error of azcert as it is; `AccessError` (``secret-disabled``, ``vault-firewall``,
        ``vault-forbidden``, ``vault-unauthorized``), `SelectionError` (``not-found``), `TransportError`
        (``vault-unavailable``), else a plain `AzcertError` (``vault-refused``).
    """
    if isinstance(error, AzcertError):
        return error
    host = urlsplit(vault).netloc
    name = host.partition(".")[0]
    thing = f"the secret {secret} of {host}" if secret else f"the secrets of {host}"
    could_not = f"Could not {action} {thing}"
    details: dict[str, Any] = {"vault": host, "secret": secret}
    status = error.status_code if isinstance(error, HttpResponseError) else None
    if status == _NOT_FOUND:
        which, _, version = secret.partition("/")
        return SelectionError(
            f"There is no {f'version {version} of the ' if version else ''}secret {which} in {host}.",
            code="not-found",
            remedy=f"See what there is: az keyvault secret list-versions --vault-name {name} --name {which}"
            if version
            else f"See what there is: azcert secret list --vault {name}",
            **details,
        )
    if status == _FORBIDDEN and isinstance(error, HttpResponseError):
        return _forbidden(error, could_not, action, name, secret, details)
    if status == _UNAUTHORIZED or isinstance(error, ClientAuthenticationError):
        return AccessError(
            f"{could_not}: {_said(error)}.",
            code="vault-unauthorized",
            remedy="The identity must be of the vault's tenant, and be able to sign in.",
            **details,
        )
    if judge_error(error) is Outcome.TROUBLE:
        said = reason(error) if status is None else _said(error)
        return TransportError(
            f"{could_not}: {said}.",
            code="vault-unavailable",
            remedy="Try again later." if status else "Check the vault's name, the network and HTTPS_PROXY.",
            retryable=True,
            **details,
        )
    if status == _CONFLICT and _inner(error) == "ObjectIsDeletedButRecoverable":
        return AzcertError(
            f"{could_not}: a deleted secret of that name can still be recovered.",
            code="secret-deleted",
            remedy=f"Take it back: az keyvault secret recover --vault-name {name} --name {secret}",
            **details,
        )
    return AzcertError(f"{could_not}: {_said(error)}.", code="vault-refused", **details)


def _forbidden(
    error: HttpResponseError, could_not: str, action: str, vault: str, secret: str, details: dict[str, Any]
) -> AccessError:
    inner = _inner(error)
    if inner == "SecretDisabled":
        return AccessError(
            f"{could_not}: it is disabled.",
            code="secret-disabled",
            remedy=f"Enable it: az keyvault secret set-attributes --vault-name {vault} "
            f"--name {secret.partition('/')[0]} --enabled true",
            **details,
        )
    if inner == "ForbiddenByFirewall":
        return AccessError(
            f"{could_not}: the vault's firewall keeps this machine out.",
            code="vault-firewall",
            remedy="Add this machine's address or network to the vault's networking, or use its private "
            "endpoint.",
            **details,
        )
    ours, azures, permission = _RIGHTS[action]
    return AccessError(
        f"{could_not}: this identity has no right to.",
        code="vault-forbidden",
        remedy=f"Give it the role {azures}, or the permission {permission} where the vault has access "
        f"policies: azcert app grant {ours} --vault {vault} --subscription ID --app CLIENT_ID (it may take "
        "some minutes to count).",
        **details,
    )


def _inner(error: Any) -> str:
    found = getattr(error.error, "innererror", None)
    return str(found.get("code", "")) if isinstance(found, dict) else ""


def _said(error: AzureError) -> str:
    # azure-core repeats code and message on lines of their own.
    return error.message.partition("\n")[0].strip().rstrip(".")
