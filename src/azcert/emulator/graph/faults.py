"""Every error Microsoft Graph answers with: status, code and text."""

from __future__ import annotations

from dataclasses import dataclass

from azcert.emulator.origin import Kind, Origin, assumed, documented, recorded

__all__ = ["GraphFault", "GraphRefusal"]

_ERRORS = "https://learn.microsoft.com/graph/errors"
_UPDATE = "https://learn.microsoft.com/graph/api/application-update"
_PROOF = "https://learn.microsoft.com/graph/application-rollkey-prooftoken"
_QUERY = "https://learn.microsoft.com/graph/aad-advanced-queries"
_KEY = "https://learn.microsoft.com/graph/api/resources/keycredential"


@dataclass(frozen=True)
class GraphFault(Kind):
    """An error answer: Graph's code, and the text with its blanks."""

    code: str
    text: str


class GraphRefusal(Exception):  # noqa: N818 - the service refuses; nothing in the emulator went wrong
    """The request ends with *fault*, the blanks of its text filled in."""

    def __init__(self, fault: GraphFault, /, **blanks: str) -> None:
        self.fault = fault
        self.text = fault.text.format(**blanks)
        super().__init__(self.text)


def _fault(name: str, status: int, code: str, text: str, origin: Origin) -> GraphFault:
    return GraphFault("graph", name, status, origin, code, text)


NO_TOKEN = _fault(
    "no token",
    401,
    "InvalidAuthenticationToken",
    "Access token is empty.",
    documented("https://learn.microsoft.com/graph/resolve-auth-errors"),
)
BAD_TOKEN = _fault(
    "a token that is not valid",
    401,
    "InvalidAuthenticationToken",
    "Access token validation failure. {reason}",
    documented("https://learn.microsoft.com/graph/resolve-auth-errors"),
)
DENIED = _fault(
    "permission missing",
    403,
    "Authorization_RequestDenied",
    "Insufficient privileges to complete the operation.",
    recorded("graph-request-denied-403.json"),
)
NOT_FOUND = _fault(
    "no such object",
    404,
    "Request_ResourceNotFound",
    "Resource '{id}' does not exist or one of its queried reference-property objects are not present.",
    recorded("graph-app-lookup-404.json", "graph-sp-create-delete.json"),
)
NO_PATH = _fault(
    "a path the emulator does not have",
    404,
    "BadRequest",
    "Resource not found for the segment '{path}'.",
    assumed("the real service knows many more; its words for an unknown segment"),
)
METHOD = _fault(
    "a method that the path does not take",
    405,
    "Request_BadRequest",
    "Specified HTTP method is not allowed for the request target.",
    assumed("the status of RFC 9110, Graph's words as quoted in public threads"),
)
BODY = _fault(
    "a body that is no JSON object",
    400,
    "BadRequest",
    "Unable to read JSON request payload. Please ensure Content-Type header is set and payload is of valid "
    "JSON format.",
    documented(_ERRORS),
)
BATCH = _fault(
    "a batch that is none",
    400,
    "BadRequest",
    "Invalid batch payload format.",
    assumed("documented as 400; the text is the one that public client libraries quote"),
)
BATCH_SIZE = _fault(
    "a batch of more than 20",
    400,
    "BadRequest",
    "The batch has {count} requests; at most 20 are allowed.",
    assumed("documented as a limit; the text has no witness"),
)
PROPERTY = _fault(
    "a member with a wrong value",
    400,
    "Request_BadRequest",
    "Invalid value specified for property '{name}' of resource '{resource}'.",
    documented(_ERRORS),
)
READ_ONLY = _fault(
    "a member that only the service sets",
    400,
    "Request_BadRequest",
    "Property '{name}' is read-only and cannot be set.",
    documented(_ERRORS),
)
PASSWORDS = _fault(
    "passwords by PATCH",
    400,
    "Request_BadRequest",
    "New password credentials must be generated using service actions.",
    documented(_UPDATE),
)
KEY_CHANGED = _fault(
    "an existing key changed by PATCH",
    400,
    "Request_BadRequest",
    "Update to existing credential with KeyId '{id}' is not allowed.",
    assumed("the text is quoted in public threads; which status goes with it is not recorded"),
)
KEY_UNKNOWN = _fault(
    "a key without its bytes that is not there",
    400,
    "Request_BadRequest",
    "Key credential with KeyId '{id}' has no key and does not exist.",
    assumed("an entry with a null key keeps the stored one; there is none to keep"),
)
KEY_VALUE = _fault(
    "a key that is no certificate",
    400,
    "Request_BadRequest",
    "Key value is invalid certificate.",
    documented(_KEY),
)
KEY_TYPE = _fault(
    "a kind of key that cannot sign in",
    400,
    "Request_BadRequest",
    "Key credential type '{type}' with usage '{usage}' is not supported here.",
    assumed("the emulator keeps sign-in certificates only: AsymmetricX509Cert, Verify"),
)
KEY_DATES = _fault(
    "a key's end date",
    400,
    "Request_BadRequest",
    "Key credential end date is invalid.",
    documented(_KEY),
)
CREDENTIAL_GONE = _fault(
    "removal of a credential that is not there",
    400,
    "Request_BadRequest",
    "No credentials found to be removed.",
    assumed("the documentation has no text for it"),
)
PROOF = _fault(
    "a proof of possession that does not hold",
    401,
    "Authentication_MissingOrMalformed",
    "Access Token missing or malformed. {reason}",
    documented(_PROOF),
)
FILTER = _fault(
    "a filter that is not understood",
    400,
    "Request_UnsupportedQuery",
    "Unsupported or invalid query filter clause specified: {reason}",
    documented(_QUERY),
)
QUERY = _fault(
    "a query option with a wrong value",
    400,
    "Request_BadRequest",
    "Invalid value '{value}' of query option '{name}'.",
    documented(_ERRORS),
)
NO_APP = _fault(
    "a service principal for an unknown app",
    400,
    "Request_BadRequest",
    "The appId '{id}' of the service principal does not reference a valid application object.",
    documented("https://learn.microsoft.com/graph/api/serviceprincipal-post-serviceprincipals"),
)
PRINCIPAL_EXISTS = _fault(
    "a second service principal for an app",
    409,
    "Request_MultipleObjectsWithSameKeyValue",
    "The service principal cannot be created, updated, or restored because the service principal name {id} "
    "is already in use.",
    documented("https://learn.microsoft.com/graph/api/serviceprincipal-post-serviceprincipals"),
)
TOO_LARGE = _fault(
    "too many credentials on one object",
    403,
    "Directory_ResourceSizeExceeded",
    "The size of the object has exceeded its limit. Please reduce the number of values and retry your "
    "request.",
    documented("https://github.com/microsoftgraph/microsoft-graph-docs-contrib/issues/21469"),
)
