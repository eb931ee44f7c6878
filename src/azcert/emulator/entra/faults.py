"""Every error the token endpoint and discovery answer with: status, OAuth error, AADSTS code and text.

Texts come from the recordings, from Microsoft's list of codes or from error reports that quote the service;
they change over the years, so clients must go by the code.
"""

from __future__ import annotations

from dataclasses import dataclass

from azcert.emulator.origin import Kind, Origin, assumed, documented, recorded

__all__ = ["EntraRefusal", "Fault"]

CODES = "https://learn.microsoft.com/entra/identity-platform/reference-error-codes"
ASSERTIONS = "https://learn.microsoft.com/entra/identity-platform/certificate-credentials"
CLIENT_CREDENTIALS = "https://learn.microsoft.com/entra/identity-platform/v2-oauth2-client-creds-grant-flow"
_NOT_REGISTERED = (
    "The certificate with identifier used to sign the client assertion is not registered on application. "
    "[Reason - "
)
LONGEST_NAME = 130
KEY_TEXT = recorded("entra-assertion-key-not-found.json", "entra-cert-wrong.json")


@dataclass(frozen=True)
class Fault(Kind):
    """An error answer: ``error``, the AADSTS number and the text with its blanks."""

    error: str
    code: int
    text: str


class EntraRefusal(Exception):  # noqa: N818 - the service refuses; nothing in the emulator went wrong
    """The request ends with *fault*, the blanks of its text filled in."""

    def __init__(self, fault: Fault, **blanks: str) -> None:
        self.fault = fault
        self.text = fault.text.format(**blanks)
        super().__init__(self.text)


def _fault(code: int, error: str, text: str, origin: Origin, status: int | None = None) -> Fault:
    # Recordings: 401 for invalid_client, 400 for all others.
    status = status or (401 if error == "invalid_client" else 400)
    shown = text.removeprefix(_NOT_REGISTERED)
    name = f"{error}, AADSTS{code}: {shown[:LONGEST_NAME]}{'...' if len(shown) > LONGEST_NAME else ''}"
    return Fault("entra", name, status, origin, error, code, text)


# The request

UNKNOWN_INSTANCE = _fault(50049, "invalid_instance", "Unknown or invalid instance.", documented(CODES))
TENANT_NOT_FOUND = _fault(
    90002,
    "invalid_tenant",
    "Tenant '{tenant}' not found. Check to make sure you have the correct tenant ID and are "
    "signing into the "
    "correct cloud. Check with your subscription administrator, this may happen if there are no active "
    "subscriptions for the tenant.",
    recorded("entra-tenant-not-found.json"),
)
# The same code at the token endpoint is an invalid_request (protocol table of the error codes).
TENANT_NOT_FOUND_AT_TOKEN = _fault(90002, "invalid_request", TENANT_NOT_FOUND.text, documented(CODES))
TENANT_EMPTY = _fault(
    900021,
    "invalid_request",
    "Requested tenant identifier '{tenant}' is not valid. Tenant identifiers may not be an empty GUID.",
    assumed("error lists name the code and its meaning; the text is as remembered"),
)
TENANT_MALFORMED = _fault(
    900023,
    "invalid_request",
    "Specified tenant identifier '{tenant}' is neither a valid DNS name, nor a valid external domain.",
    documented("https://github.com/microsoft/Analysis-Services/issues/194"),
)
POST_ONLY = _fault(
    900561,
    "invalid_request",
    "The endpoint only accepts POST requests. Received a {method} request.",
    documented(CODES),
)
MALFORMED = _fault(
    9002313, "invalid_request", "Invalid request. Request is malformed or invalid.", documented(CODES)
)
MISSING_PARAMETER = _fault(
    900144,
    "invalid_request",
    "The request body must contain the following parameter: '{name}'.",
    documented(CODES),
)
RESOURCE_ON_V2 = _fault(
    901002, "invalid_request", "The 'resource' request parameter is not supported.", documented(CODES)
)
UNSUPPORTED_GRANT = _fault(
    70003,
    "unsupported_grant_type",
    "The app requested an unsupported grant type '{grant}'.",
    documented(CODES),
)
COMMON_TENANT = _fault(
    9001023,
    "invalid_request",
    "The grant type '{grant}' is not supported over the /common or /consumers endpoints. Please use the "
    "/organizations or tenant-specific endpoint.",
    documented(CODES),
)

# The scope

SCOPE_INVALID = _fault(
    70011,
    "invalid_scope",
    "The provided request must include a 'scope' input parameter. The provided value for the "
    "input parameter "
    "'scope' is not valid. The scope {scope} is not valid.",
    documented("https://github.com/AzureAD/microsoft-authentication-library-for-js/issues/6069"),
)
SCOPE_NOT_DEFAULT = _fault(
    1002012,
    "invalid_scope",
    "The provided value for scope {scope} is not valid. Client credential flows must have a "
    "scope value with "
    "/.default suffixed to the resource identifier (application ID URI).",
    documented(CLIENT_CREDENTIALS),
)
RESOURCE_NOT_FOUND = _fault(
    500011,
    "invalid_resource",
    "The resource principal named {resource} was not found in the tenant named {tenant}. "
    "This can happen if the "
    "application has not been installed by the administrator of the tenant or consented to "
    "by any user in the "
    "tenant. You might have sent your authentication request to the wrong tenant.",
    documented(CODES),
)

# The client

APP_NOT_FOUND = _fault(
    700016,
    "unauthorized_client",
    "Application with identifier '{client}' was not found in the directory '{tenant}'. This "
    "can happen if the "
    "application has not been installed by the administrator of the tenant or consented to "
    "by any user in the "
    "tenant. You may have sent your authentication request to the wrong tenant.",
    documented(CODES),
)
APP_DISABLED = _fault(
    7000112, "unauthorized_client", "Application '{client}'({name}) is disabled.", documented(CODES)
)
NO_PRINCIPAL = _fault(
    7000229,
    "invalid_client",
    "The client application {client} is missing service principal in the tenant {tenant}. See instructions "
    "here: https://go.microsoft.com/fwlink/?linkid=2225119",
    documented("https://github.com/Azure/Commercial-Marketplace-SaaS-Accelerator/issues/830"),
)
APP_IS_PUBLIC = _fault(
    700025,
    "invalid_client",
    "Client is public so neither 'client_assertion' nor 'client_secret' should be presented.",
    documented(CODES),
)
NO_CREDENTIAL = _fault(
    7000216,
    "invalid_client",
    "'client_assertion', 'client_secret' or 'request' is required for the 'client_credentials' grant type.",
    documented("https://github.com/MicrosoftDocs/azure-docs/issues/30777"),
)
WRONG_SECRET = _fault(
    7000215,
    "invalid_client",
    "Invalid client secret provided. Ensure the secret being sent in the request is the "
    "client secret value, not "
    "the client secret ID, for a secret added to app '{client}'.",
    recorded("entra-secret-wrong.json"),
)
SECRETS_EXPIRED = _fault(
    7000222,
    "invalid_client",
    "The provided client secret keys for app '{client}' are expired. Visit the Azure portal "
    "to create new keys "
    "for your app: https://aka.ms/NewClientSecret, or consider using certificate credentials "
    "for added security: "
    "https://aka.ms/certCreds.",
    documented(CODES),
)

DEVICE_PENDING = _fault(
    70016,
    "authorization_pending",
    "OAuth 2.0 device flow error. Authorization is pending. Continue polling.",
    recorded("entra-device-code-pending.json"),
)
DEVICE_EXPIRED = _fault(
    70019, "expired_token", "Verification code expired. Have the user retry the sign-in.", documented(CODES)
)
DEVICE_CODE = _fault(
    70000,
    "invalid_grant",
    "The provided value for the input parameter 'device_code' is not valid.",
    documented(CODES),
)
CLAIMS = _fault(
    50027,
    "invalid_request",
    "The provided 'claims' parameter is not valid.",
    assumed("no example of a malformed claims parameter was found"),
)
ASSERTION_TYPE = _fault(
    9002313,
    "invalid_request",
    "Invalid request. The client_assertion_type is not supported.",
    assumed("no example of another assertion type was found"),
)

# The assertion

JWT_MALFORMED = _fault(50027, "invalid_request", "JWT token is invalid or malformed.", documented(CODES))
JWT_INVALID = _fault(
    50027,
    "invalid_request",
    "Invalid JWT token. {reason}",
    documented("https://github.com/AzureAD/microsoft-authentication-library-for-dotnet/issues/124"),
)
ALGORITHM = _fault(
    5002738,
    "invalid_request",
    "Invalid JWT token. '{alg}' is not a supported signature algorithm.",
    documented("https://github.com/AzureAD/microsoft-identity-web/issues/3467"),
)
KEY_TYPE = _fault(
    5002730,
    "invalid_request",
    "Invalid JWT token. Unsupported key for the signing algorithm.",
    documented("https://github.com/AzureAD/microsoft-authentication-library-for-dotnet/issues/4712"),
)
SUBJECT = _fault(
    50048,
    "invalid_request",
    "Subject must match Issuer claim in the client assertion. [Reason - {subject} does not match {issuer}]",
    documented("https://github.com/AzureAD/microsoft-authentication-library-for-java/issues/430"),
)
CLIENT_MISMATCH = _fault(
    700021,
    "invalid_client",
    "Client assertion application identifier doesn't match 'client_id' parameter. Review the "
    "documentation at "
    f"{ASSERTIONS} .",
    assumed("error lists name the code and its meaning; the text is as remembered"),
)
AUDIENCE = _fault(
    700023,
    "invalid_client",
    f"Client assertion audience claim does not match Realm issuer. Review the documentation "
    f"at {ASSERTIONS} .",
    documented("https://github.com/AzureAD/microsoft-authentication-library-for-dotnet/issues/2746"),
)
TIME_RANGE = _fault(
    700024,
    "invalid_client",
    "Client assertion is not within its valid time range. Current time: {now}, assertion "
    "valid from {start}, "
    f"expiry time of assertion {{end}}. Review the documentation at {ASSERTIONS} .",
    documented("https://github.com/AzureAD/microsoft-authentication-library-for-dotnet/issues/4951"),
)
SUBJECT_NAME = _fault(
    700030,
    "invalid_client",
    "Invalid certificate - subject name in certificate is not authorized. "
    "SubjectNames/SubjectAlternativeNames "
    "(up to 10) in token certificate are: {names}.",
    documented(CODES),
)
CERTIFICATE_TIME = _fault(
    1000502,
    "invalid_client",
    "The provided certificate is not within its specified validity period.",
    assumed("the code is in Microsoft.Identity.Web's list of codes that make it reload; the text is ours"),
)
CHAIN = _fault(
    7000213,
    "invalid_client",
    "Invalid certificate chain.",
    documented("https://github.com/AzureAD/microsoft-authentication-library-for-dotnet/issues/3909"),
)
REVOKED = _fault(
    7000214,
    "invalid_client",
    "Certificate has been revoked.",
    assumed("error lists name the code and its meaning; the text is as remembered"),
)

_SEE = (
    "Please visit the Azure Portal, Graph Explorer or directly use MS Graph to see "
    "configured keys for app Id "
    "'{client}'. Review the documentation at "
    "https://docs.microsoft.com/en-us/graph/deployments to determine the "
    "corresponding service endpoint and "
    "https://docs.microsoft.com/en-us/graph/api/application-get?view=graph-rest-1.0&tabs=http to build a "
    "query request URL, such as 'https://graph.microsoft.com/beta/applications/{client}']."
)
_USED = "Thumbprint of key used by client: '{thumbprint}', "
_FOUND = "Found key 'Start={start}, End={end}', "
_QUOTED = documented(
    "https://github.com/AzureAD/azure-activedirectory-library-for-python/issues/225",
    "https://github.com/Azure/azure-sdk-for-java/issues/25109",
)

KEY_NOT_FOUND = _fault(
    700027, "invalid_client", f"{_NOT_REGISTERED}The key was not found., {_USED}{_SEE}", KEY_TEXT
)
KEY_EXPIRED = _fault(
    700027,
    "invalid_client",
    f"{_NOT_REGISTERED}The key used is expired., {_USED}{_FOUND}{_SEE}",
    documented(CODES),
)
KEY_NOT_YET = _fault(
    700027,
    "invalid_client",
    f"{_NOT_REGISTERED}The key used is not yet valid., {_USED}{_FOUND}{_SEE}",
    assumed("by analogy with the expired key"),
)
SIGNATURE = _fault(
    700027,
    "invalid_client",
    f"{_NOT_REGISTERED}The provided signature value did not match the expected signature value., "
    f"{_USED}{_FOUND}{_SEE}",
    _QUOTED,
)
SIGNATURE_USE = _fault(
    700027,
    "invalid_client",
    f"{_NOT_REGISTERED}Key was found, but use of the key to verify the signature failed., "
    f"{_USED}{_FOUND}{_SEE}",
    assumed("error reports quote the reason; where Entra draws the line to the mismatch above is a guess"),
)
NO_X5C = _fault(
    700027,
    "invalid_client",
    f"{_NOT_REGISTERED}The key was not found., {_USED}The application uses subject name and issuer "
    f"authentication: send the certificate in the x5c header., {_SEE}",
    assumed("Entra's message hints at SN/I and x5c; its exact words were not found"),
)
