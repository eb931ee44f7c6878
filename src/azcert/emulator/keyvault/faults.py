"""Every error Key Vault answers with: status, code, inner code and text."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from azcert.emulator.origin import Answer, Kind, Origin, assumed, documented, recorded

__all__ = ["VaultFault", "VaultRefusal"]

REST_ERRORS = "https://learn.microsoft.com/azure/key-vault/general/rest-error-codes"
WORDS = "that it is BadParameter is documented; the text is as users of the service quote it"
LIMITS = "https://learn.microsoft.com/azure/key-vault/general/about-keys-secrets-certificates"


@dataclass(frozen=True)
class VaultFault(Kind):
    """An error answer: ``code``, ``innererror.code`` where there is one, and the text with its blanks."""

    code: str
    inner: str | None
    text: str


class VaultRefusal(Exception):  # noqa: N818 - the service refuses; nothing in the emulator went wrong
    """The request ends with *fault*, the blanks of its text filled in."""

    def __init__(self, fault: VaultFault, headers: dict[str, str] | None = None, /, **blanks: str) -> None:
        self.fault = fault
        self.headers = headers
        self.text = fault.text.format(**blanks)
        super().__init__(self.text)

    def answer(self) -> Answer:
        """Return the error's answer."""
        error: dict[str, Any] = {"code": self.fault.code, "message": self.text}
        if self.fault.inner:
            error["innererror"] = {"code": self.fault.inner}
        return self.fault.answer({"error": error}, self.headers)


def _fault(
    name: str, status: int, code: str, text: str, origin: Origin, inner: str | None = None
) -> VaultFault:
    return VaultFault("vault", name, status, origin, code, inner, text)


NO_VAULT = _fault(
    "a vault that the emulator does not know",
    404,
    "VaultNotFound",
    "The emulator has no vault at {host}; it has {known}.",
    assumed("the real service has no DNS name then; an answer tells more than a refused connection"),
)

# The token

NO_TOKEN = _fault(
    "no token: the challenge",
    401,
    "Unauthorized",
    "AKV10000: Request is missing a Bearer, PoP, or MTLS_POP token.",
    recorded("keyvault-secret-crud.json", "keyvault-secret-missing.json", "keyvault-cert-missing.json"),
)
BAD_TOKEN = _fault(
    "a token that is malformed, foreign or expired",
    401,
    "Unauthorized",
    "[BearerReadAccessTokenFailed] Error validating token: '{reason}'.",
    assumed("the code is that of every refused token; the words differ by cause and year"),
)
AUDIENCE = _fault(
    "a token for another resource",
    401,
    "Unauthorized",
    "AKV10022: Invalid audience. Expected {expected}, found: {found}.",
    documented(
        "https://github.com/Azure/go-autorest/issues/525",
        "https://github.com/MicrosoftDocs/azure-docs/issues/109562",
    ),
)
ISSUER = _fault(
    "a token of another tenant",
    401,
    "Unauthorized",
    "AKV10032: Invalid issuer. Expected one of {expected}, found {found}.",
    documented(
        "https://github.com/Azure/azure-sdk-for-js/issues/6221",
        "https://github.com/Azure/azure-sdk-for-js/issues/12539",
    ),
)
CLAIMS = _fault(
    "a token issued before its sessions were revoked: claims challenge",
    401,
    "Unauthorized",
    "AKV10148: Continuous access evaluation resulted in claims challenge.",
    assumed("the challenge in the header is documented, the text of the body is ours"),
)
FORBIDDEN = _fault(
    "the caller's roles do not allow the action",
    403,
    "Forbidden",
    "Caller is not authorized to perform action on resource.\r\n"
    "If role assignments, deny assignments or role definitions were changed recently, please observe "
    "propagation time.\r\n"
    "Caller: appid={appid};oid={oid};iss={iss}\r\n"
    "Action: '{action}'\r\n"
    "Resource: '{resource}'\r\n"
    "Assignment: (not found)\r\n"
    "DenyAssignmentId: null\r\n"
    "DecisionReason: 'DeniedWithNoValidRBAC' \r\n"
    "Vault: {vault};location={location}\r\n",
    documented("https://learn.microsoft.com/azure/key-vault/general/rbac-guide", REST_ERRORS),
    "ForbiddenByRbac",
)

# The request

NO_API_VERSION = _fault(
    "no api-version", 400, "BadParameter", "api-version must be specified", assumed(WORDS)
)
API_VERSION = _fault(
    "an unknown api-version",
    400,
    "BadParameter",
    "Error while processing incoming api-version: The specified version ({version}) is not recognized. "
    "Consider using the latest supported version ({latest}).",
    assumed("as remembered by users of older SDKs; no page or recording was found"),
)
METHOD = _fault(
    "a path or method that is no operation",
    405,
    "MethodNotAllowed",
    "HTTP {method} not allowed",
    recorded("keyvault-cert-empty-name.json"),
)
NAME = _fault(
    "a name with other characters than letters, digits and hyphens",
    400,
    "BadParameter",
    "The request URI contains an invalid name: {name}",
    documented("https://github.com/Azure/azure-sdk-for-python/issues/28698", LIMITS),
)
NO_BODY = _fault("no body", 400, "BadParameter", "Request body not specified", assumed(WORDS))
BODY = _fault(
    "a body that is no JSON object",
    400,
    "BadParameter",
    "Request body is not valid JSON",
    assumed("the code is that of every bad argument; the text is ours"),
)
PROPERTY = _fault(
    "a property with a bad value",
    400,
    "BadParameter",
    "Property {name} has invalid value. {reason}",
    recorded("keyvault-cert-bad-policy.json"),
)
PAGE = _fault(
    "a list's maxresults or $skiptoken out of bounds",
    400,
    "BadParameter",
    "Invalid {name}: {reason}",
    assumed("the limit of 25 is documented, the text is ours"),
)

# The object

NOT_FOUND = {
    "secret": _fault(
        "an unknown secret",
        404,
        "SecretNotFound",
        "A secret with (name/id) {name} was not found in this key vault. If you recently deleted this secret "
        "you may be able to recover it using the correct recovery command. For help resolving this issue, "
        "please see https://go.microsoft.com/fwlink/?linkid=2125182",
        recorded("keyvault-secret-missing.json", "keyvault-secret-recover-missing.json"),
    ),
    "key": _fault(
        "an unknown key",
        404,
        "KeyNotFound",
        "A key with (name/id) {name} was not found in this key vault. If you recently deleted this key "
        "you may be able to recover it using the correct recovery command. For help resolving this issue, "
        "please see https://go.microsoft.com/fwlink/?linkid=2125182",
        recorded("keyvault-key-missing.json"),
    ),
    "certificate": _fault(
        "an unknown certificate",
        404,
        "CertificateNotFound",
        "A certificate with (name/id) {name} was not found in this key vault. If you recently deleted this "
        "certificate you may be able to recover it using the correct recovery command. For help resolving "
        "this issue, please see https://go.microsoft.com/fwlink/?linkid=2125182",
        recorded("keyvault-cert-missing.json"),
    ),
}
DELETED_NOT_FOUND = {
    "secret": _fault(
        "a secret that is not, or not yet, among the deleted ones",
        404,
        "SecretNotFound",
        "Deleted Secret not found: {name}",
        recorded("keyvault-secret-crud.json"),
    ),
    "key": _fault(
        "a key that is not, or not yet, among the deleted ones",
        404,
        "KeyNotFound",
        "Deleted Key not found: {name}",
        recorded("keyvault-key-rsa-crud.json"),
    ),
    "certificate": _fault(
        "a certificate that is not, or not yet, among the deleted ones",
        404,
        "CertificateNotFound",
        "Deleted Certificate not found: {name}",
        recorded("keyvault-cert-delete-recover.json"),
    ),
}
BEING_DELETED = _fault(
    "a name that is just being deleted",
    409,
    "Conflict",
    "{Noun} {name} is currently being deleted and cannot be re-created; retry later.",
    recorded("keyvault-secret-set-while-deleted.json"),
    "ObjectIsBeingDeleted",
)
DELETED = _fault(
    "a name that lies among the deleted ones",
    409,
    "Conflict",
    "{Noun} {name} is currently in a deleted but recoverable state, and its name cannot be reused; in this "
    "state, the {noun} can only be recovered or purged.",
    recorded("keyvault-secret-set-while-deleted.json"),
    "ObjectIsDeletedButRecoverable",
)
BEING_RECOVERED = _fault(
    "a name that is just being recovered",
    409,
    "Conflict",
    "{Noun} {name} is currently being recovered and cannot be re-created; retry later.",
    assumed("by analogy with the name being deleted"),
    "ObjectIsBeingRecovered",
)
DISABLED = _fault(
    "the value of a disabled secret",
    403,
    "Forbidden",
    "Operation get is not allowed on a disabled secret.",
    recorded("keyvault-secret-disabled.json", "keyvault-secret-list-empty-pages.json"),
    "SecretDisabled",
)
PENDING_NOT_FOUND = _fault(
    "no pending operation",
    404,
    "PendingCertificateNotFound",
    "Pending Certificate not found: {name}",
    recorded("keyvault-cert-operation-cancel.json"),
)
PENDING_EXISTS = _fault(
    "creating while another operation is pending",
    409,
    "Conflict",
    "A new key vault certificate can not be created or imported while a pending key vault certificate's "
    "status is inProgress.",
    documented("https://learn.microsoft.com/azure/key-vault/certificates/create-certificate-scenarios"),
)
NAME_TAKEN = _fault(
    "a certificate under the name of a secret or key of its own",
    409,
    "Conflict",
    "A {noun} named {name} exists that does not belong to a certificate.",
    assumed("a certificate shares its name with its key and secret; the text is ours"),
)
OTHER_KEY = _fault(
    "merging a certificate of another key",
    400,
    "BadParameter",
    "The public key of the end-entity certificate in the specified X.509 certificate content does not match "
    "the public key part of the specified private key. Please check if certificate is valid.",
    assumed("as users quote it; no page or recording was found"),
)
ISSUER_NOT_FOUND = _fault(
    "an unknown issuer",
    404,
    "CertificateIssuerNotFound",
    "Issuer not found: {name}",
    assumed("by analogy with the pending operation"),
)
KEY_DISABLED = _fault(
    "using a disabled key",
    403,
    "Forbidden",
    "Operation {operation} is not allowed on a disabled key.",
    assumed("by analogy with the disabled secret"),
    "KeyDisabled",
)
KEY_TIME = _fault(
    "signing with a key outside its time",
    403,
    "Forbidden",
    "Operation {operation} is not allowed on {state} key.",
    documented("https://learn.microsoft.com/azure/key-vault/keys/about-keys-details"),
    "KeyNotInValidTime",
)
KEY_OPERATION = _fault(
    "an operation that the key's key_ops do not name",
    403,
    "Forbidden",
    "Operation {operation} is not permitted on this key.",
    documented("https://learn.microsoft.com/azure/key-vault/keys/about-keys-details"),
    "KeyOperationForbidden",
)
RESTORE_CONFLICT = _fault(
    "restoring a name that is in use, or was until a moment ago",
    409,
    "Conflict",
    "There was a conflict restoring the {noun} '{id}'. This can happen if either: a second {noun} with the "
    "same name was created after the first {noun} was deleted; thus trying to restore a {noun} whose name is "
    "already in use. To fix this, rename the second {noun} to something else so that the restore works. The "
    "second probable cause of this exception is when multiple operations are performed in parallel against "
    "the {noun}. To avoid this error, perform operations against a {noun} in a sequential manner.",
    recorded("keyvault-secret-restore-conflict.json"),
)
BAD_BACKUP = _fault(
    "a blob that is no backup",
    400,
    "Malformed backup blob",
    "Backup blob is corrupt.",
    recorded("keyvault-secret-restore-malformed.json"),
)
MANAGED = _fault(
    "changing the secret or key behind a certificate",
    403,
    "Forbidden",
    "Operation {operation} is not allowed on a {noun} associated with a certificate.",
    assumed("that it is refused is documented, the text is ours"),
)
