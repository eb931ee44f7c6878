"""What Entra's error codes mean, why they come up with certificates, and what to do: data.

Sources: https://learn.microsoft.com/entra/identity-platform/reference-error-codes and texts quoted in public
issues of Microsoft's authentication libraries. The service warns that texts may change; codes are stable.
"""

from __future__ import annotations

from dataclasses import dataclass

__all__ = [
    "ASSERTION_OUT_OF_TIME",
    "CERTIFICATE_REJECTED",
    "CODES",
    "THROTTLED",
    "UNKNOWN_KEY_REASONS",
    "Explanation",
    "explain",
]


@dataclass(frozen=True)
class Explanation:
    """One error code in three sentences.

    :param meaning: what the service says.
    :param cause: what is most often behind it.
    :param remedy: what to do next.
    """

    meaning: str
    cause: str
    remedy: str


ASSERTION_OUT_OF_TIME = 700024
"""The code that an assertion dated by the service's clock cures."""

CERTIFICATE_REJECTED = frozenset({700027, 1000502, 7000214, 7000274, 7000277})
"""Codes that another certificate of the same source may cure.

Microsoft.Identity.Web reloads the certificate for these and for 700024, which is about the time alone.
"""

THROTTLED = frozenset({50196, 90055})
"""Codes that mean *slow down*, whatever the HTTP status."""

UNKNOWN_KEY_REASONS: tuple[tuple[str, Explanation], ...] = (
    (
        "the key was not found",
        Explanation(
            "The application has no certificate with this thumbprint.",
            "The certificate was not uploaded, belongs to another application or tenant, or was uploaded a "
            "moment ago and has not reached every server yet.",
            "Upload the public certificate under App registrations, Certificates & secrets, and compare the "
            "thumbprint shown there with that of 'azcert show FILE'; after an upload wait a minute.",
        ),
    ),
    (
        "the provided signature value did not match",
        Explanation(
            "The certificate is registered, but the assertion's signature was not made by its key.",
            "The certificate and the private key belong to different pairs, or the key's device uses another "
            "PSS salt than 32 bytes.",
            "Check with 'azcert show FILE' that key and certificate belong together.",
        ),
    ),
    (
        "use of the key to verify the signature failed",
        Explanation(
            "The certificate was found, but its key cannot verify this kind of signature.",
            "The registered certificate's key does not fit the signature algorithm.",
            "Register a certificate with an RSA key and sign with that key.",
        ),
    ),
    (
        "the key used is expired",
        Explanation(
            "The registered certificate has expired.",
            "The certificate, or the end date of its registration, lies in the past.",
            "Make a new certificate with 'azcert new', upload it, and use it in place of the old one.",
        ),
    ),
)
"""AADSTS700027 by the reason in its text, lower case."""

_CLOCK = Explanation(
    "The assertion is not valid at this moment by the service's clock.",
    "This machine's clock is wrong.",
    "Set the clock, best by NTP ('timedatectl set-ntp true').",
)
_REVOKED = Explanation(
    "The certificate has been revoked.",
    "Somebody revoked it, or the service was told that it leaked.",
    "Make a new certificate with 'azcert new' and register it.",
)
_NO_APPLICATION = Explanation(
    "The tenant has no application with this client ID.",
    "The client ID or the tenant is mistyped, or the application was never given a service principal there.",
    "Compare client ID and tenant ID with App registrations, Overview; in another tenant an administrator "
    "must consent to the application first.",
)
_WRONG_CLOUD = Explanation(
    "The application belongs to another cloud than the authority.",
    "AZURE_AUTHORITY_HOST or the authority argument names the wrong national cloud.",
    "Set the authority to the cloud in which the application is registered.",
)
_FEDERATED = Explanation(
    "No federated identity credential of the application fits the assertion.",
    "Issuer, subject or audience differ from what is registered, often only in case or a slash at the end.",
    "Compare them letter by letter under Certificates & secrets, Federated credentials.",
)
_NO_CREDENTIAL = Explanation(
    "The request proved nothing: it held neither an assertion nor a secret.",
    "Something between this program and Entra ID dropped a part of the request.",
    "Check proxies that rewrite requests.",
)
_SCOPE = Explanation(
    "The scope is not one that an application can ask for.",
    "Applications ask for one whole resource, not for single permissions.",
    "Ask for exactly one scope that ends in /.default, such as https://vault.azure.net/.default.",
)

CODES: dict[int, Explanation] = {
    50012: Explanation(
        "The assertion was not accepted (older, general form).",
        "Its signature, certificate, audience or time does not fit.",
        "Check the certificate with 'azcert show FILE', and this machine's clock.",
    ),
    50013: Explanation(
        "The assertion is not valid.",
        "It was made for another audience or by another issuer, or it has expired.",
        "Check authority and tenant, and this machine's clock.",
    ),
    500133: _CLOCK,
    50027: Explanation(
        "The assertion is not well formed.",
        "A part of it was changed or dropped on the way.",
        "Check proxies that rewrite requests.",
    ),
    5002730: Explanation(
        "The registered key cannot be used with the signature algorithm.",
        "The application's certificate has an EC key; Entra ID verifies assertions with RSA keys.",
        "Register a certificate with an RSA key, such as 'azcert new' makes.",
    ),
    5002738: Explanation(
        "The assertion's signature algorithm is not supported.",
        "The key is not an RSA key.",
        "Use a certificate with an RSA key, such as 'azcert new' makes.",
    ),
    50048: Explanation(
        "Subject and issuer of the assertion differ.",
        "The assertion was not made by azcert, or it was changed on the way.",
        "Check proxies that rewrite requests.",
    ),
    51000: Explanation(
        "A feature is not enabled for this tenant or application.",
        "Client authentication over mutual TLS is not open to every tenant.",
        "Use the ordinary authority.",
    ),
    500011: Explanation(
        "The tenant does not know the resource that the scope names.",
        "The scope is mistyped, belongs to another cloud, or the service has no principal in this tenant.",
        "Check the scope; for your own API an administrator must consent to it in this tenant first.",
    ),
    500181: Explanation(
        "The TLS client certificate is not the one the token is bound to.",
        "The certificate was renewed after the token was issued.",
        "Ask for a new token with the new certificate.",
    ),
    50196: Explanation(
        "The service saw the same request over and over and stopped answering it.",
        "Tokens are not cached: a credential is created for every call, or many processes share nothing.",
        "Keep one credential per process, and share a cache between processes.",
    ),
    53003: Explanation(
        "A Conditional Access policy blocks this sign-in.",
        "The policy for workload identities does not allow this network location or risk.",
        "Ask the tenant's administrator; the sign-in log names the policy for the trace id.",
    ),
    70001: _NO_APPLICATION,
    700011: _NO_APPLICATION,
    700016: _NO_APPLICATION,
    7000112: Explanation(
        "The application is disabled.",
        "Its service principal was switched off in this tenant.",
        "Ask the tenant's administrator to enable it under Enterprise applications, Properties.",
    ),
    70011: _SCOPE,
    1002012: _SCOPE,
    700022: Explanation(
        "The scopes belong to several resources.",
        "One token is for one resource.",
        "Ask for one token per resource, each with a scope that ends in /.default.",
    ),
    70021: _FEDERATED,
    700211: _FEDERATED,
    700212: _FEDERATED,
    700213: _FEDERATED,
    7002137: _FEDERATED,
    7002138: _FEDERATED,
    700229: _FEDERATED,
    700021: Explanation(
        "The assertion speaks for another application than the request.",
        "The request was changed on the way.",
        "Check proxies that rewrite requests.",
    ),
    700023: Explanation(
        "The assertion is meant for another token endpoint.",
        "Authority and tenant of the request do not belong to the same cloud.",
        "Check AZURE_AUTHORITY_HOST and the tenant.",
    ),
    700024: _CLOCK,
    700025: Explanation(
        "The application is registered as a public client, which must not use certificates.",
        "The application was registered for mobile or desktop sign-in.",
        "Set 'Allow public client flows' to No under Authentication, or use another application.",
    ),
    700027: Explanation(
        "The certificate that signed the assertion is not accepted for this application.",
        "It is not registered on the application, or it has expired.",
        "Compare the thumbprint under App registrations, Certificates & secrets with that of "
        "'azcert show FILE'.",
    ),
    700030: Explanation(
        "The certificate's subject name is not authorised for the application.",
        "Subject name and issuer authentication is configured for another subject.",
        "Correct trustedCertificateSubjects of the application, or upload this certificate instead.",
    ),
    7000214: _REVOKED,
    7000215: Explanation(
        "The client secret is wrong.",
        "A secret was sent instead of an assertion; often its ID instead of its value.",
        "Use a certificate.",
    ),
    7000216: _NO_CREDENTIAL,
    7000218: _NO_CREDENTIAL,
    7000222: Explanation(
        "The application's client secrets have expired.",
        "Secrets run out; certificates do as well, but say when.",
        "Use a certificate.",
    ),
    7000274: Explanation(
        "The assertion's signature is not valid.",
        "The certificate and the private key belong to different pairs.",
        "Check with 'azcert show FILE' that key and certificate belong together.",
    ),
    7000277: _REVOKED,
    1000502: Explanation(
        "The certificate is outside its time of validity.",
        "It has expired, or it is not valid yet.",
        "Look at its dates with 'azcert show FILE' and renew it.",
    ),
    90002: Explanation(
        "The tenant was not found.",
        "The tenant ID is mistyped or belongs to another cloud.",
        "Compare the tenant ID with the portal's Overview, and check AZURE_AUTHORITY_HOST.",
    ),
    900021: Explanation(
        "The tenant ID consists of zeros.",
        "A placeholder was never replaced.",
        "Set AZURE_TENANT_ID to the tenant's ID.",
    ),
    900023: Explanation(
        "The tenant is neither the ID of a tenant nor a domain.",
        "A template's placeholder or a whole URL was taken for the tenant.",
        "Set AZURE_TENANT_ID to the tenant's ID alone.",
    ),
    90055: Explanation(
        "The tenant sends too many requests.",
        "Tokens are not cached or not shared.",
        "Keep one credential per process, and share a cache between processes.",
    ),
    9001023: Explanation(
        "Applications cannot sign in at common, organizations or consumers.",
        "The tenant is a name for many tenants.",
        "Set the tenant to the ID of one tenant.",
    ),
    90014: _NO_CREDENTIAL,
    900144: Explanation(
        "A part of the request is missing.",
        "The request was changed on the way.",
        "Check proxies that rewrite requests.",
    ),
    9002313: Explanation(
        "The request is malformed.",
        "The request was changed on the way.",
        "Check proxies that rewrite requests.",
    ),
    901002: Explanation(
        "The request names a resource where the endpoint wants a scope.",
        "The request was changed on the way.",
        "Check proxies that rewrite requests.",
    ),
    900382: _WRONG_CLOUD,
    900432: _WRONG_CLOUD,
    100007: Explanation(
        "The regional endpoint is not open to this application.",
        "Regional endpoints serve managed identities and Microsoft's own applications.",
        "Unset AZURE_REGIONAL_AUTHORITY_NAME.",
    ),
}
"""Every code azcert can explain."""


def explain(code: int, description: str = "") -> Explanation | None:
    """Return what is known of *code*; the service's text tells the cases of AADSTS700027 apart."""
    if code == 700027:  # noqa: PLR2004  (an AADSTS code has no better name than its number)
        text = description.lower()
        for reason, explanation in UNKNOWN_KEY_REASONS:
            if reason in text:
                return explanation
    return CODES.get(code)
