"""How applications and service principals look: every member, in the service's order.

Documents hold what was set; what was not is shown as here (recordings of 2022 and 2023). A service principal
is kept inside its application's document, as ``servicePrincipal`` beside ``servicePrincipalId``.
"""

from __future__ import annotations

from typing import Any

__all__ = ["APPLICATION", "PRINCIPAL", "application", "principal"]

_INFO = {
    "logoUrl": None,
    "marketingUrl": None,
    "privacyStatementUrl": None,
    "supportUrl": None,
    "termsOfServiceUrl": None,
}
_PUBLISHER = {"displayName": None, "verifiedPublisherId": None, "addedDateTime": None}

APPLICATION: dict[str, Any] = {
    "id": None,
    "deletedDateTime": None,
    "appId": None,
    "applicationTemplateId": None,
    "disabledByMicrosoftStatus": None,
    "createdDateTime": None,
    "displayName": None,
    "description": None,
    "groupMembershipClaims": None,
    "identifierUris": [],
    "isDeviceOnlyAuthSupported": None,
    "isFallbackPublicClient": None,
    "notes": None,
    "publisherDomain": None,
    "serviceManagementReference": None,
    "signInAudience": "AzureADandPersonalMicrosoftAccount",
    "tags": [],
    "tokenEncryptionKeyId": None,
    "samlMetadataUrl": None,
    "defaultRedirectUri": None,
    "certification": None,
    "optionalClaims": None,
    "servicePrincipalLockConfiguration": None,
    "requestSignatureVerification": None,
    "addIns": [],
    "api": {
        "acceptMappedClaims": None,
        "knownClientApplications": [],
        "requestedAccessTokenVersion": None,
        "oauth2PermissionScopes": [],
        "preAuthorizedApplications": [],
    },
    "appRoles": [],
    "info": _INFO,
    "keyCredentials": [],
    "parentalControlSettings": {"countriesBlockedForMinors": [], "legalAgeGroupRule": "Allow"},
    "passwordCredentials": [],
    "publicClient": {"redirectUris": []},
    "requiredResourceAccess": [],
    "verifiedPublisher": _PUBLISHER,
    "web": {
        "homePageUrl": None,
        "logoutUrl": None,
        "redirectUris": [],
        "implicitGrantSettings": {"enableAccessTokenIssuance": False, "enableIdTokenIssuance": False},
        "redirectUriSettings": [],
    },
    "spa": {"redirectUris": []},
}
PRINCIPAL: dict[str, Any] = {
    "id": None,
    "deletedDateTime": None,
    "accountEnabled": True,
    "alternativeNames": [],
    "appDisplayName": None,
    "appDescription": None,
    "appId": None,
    "applicationTemplateId": None,
    "appOwnerOrganizationId": None,
    "appRoleAssignmentRequired": False,
    "createdDateTime": None,
    "description": None,
    "disabledByMicrosoftStatus": None,
    "displayName": None,
    "homepage": None,
    "loginUrl": None,
    "logoutUrl": None,
    "notes": None,
    "notificationEmailAddresses": [],
    "preferredSingleSignOnMode": None,
    "preferredTokenSigningKeyThumbprint": None,
    "replyUrls": [],
    "servicePrincipalNames": [],
    "servicePrincipalType": "Application",
    "signInAudience": None,
    "tags": [],
    "tokenEncryptionKeyId": None,
    "samlSingleSignOnSettings": None,
    "addIns": [],
    "appRoles": [],
    "info": _INFO,
    "keyCredentials": [],
    "oauth2PermissionScopes": [],
    "passwordCredentials": [],
    "resourceSpecificApplicationPermissions": [],
    "verifiedPublisher": _PUBLISHER,
}

_KEY = (
    "customKeyIdentifier",
    "displayName",
    "endDateTime",
    "key",
    "keyId",
    "startDateTime",
    "type",
    "usage",
)
_PASSWORD = (
    "customKeyIdentifier",
    "displayName",
    "endDateTime",
    "hint",
    "keyId",
    "secretText",
    "startDateTime",
)


def application(app: dict[str, Any], *, keys: bool = False) -> dict[str, Any]:
    """Return an application as Graph shows it.

    :param keys: show the certificates' bytes, too.
    """
    return _shown(APPLICATION, app, keys=keys)


def principal(app: dict[str, Any], *, keys: bool = False) -> dict[str, Any]:
    """Return the service principal of an application as Graph shows it."""
    kept = {
        "id": app["servicePrincipalId"],
        "appDisplayName": app.get("displayName"),
        "appId": app["appId"],
        "appOwnerOrganizationId": app["tenant"],
        "createdDateTime": app.get("createdDateTime"),
        "displayName": app.get("displayName"),
        "servicePrincipalNames": [*(app.get("identifierUris") or ()), app["appId"]],
        "signInAudience": app.get("signInAudience", APPLICATION["signInAudience"]),
        **(app.get("servicePrincipal") or {}),
    }
    return _shown(PRINCIPAL, kept, keys=keys)


def _shown(template: dict[str, Any], kept: dict[str, Any], *, keys: bool) -> dict[str, Any]:
    # Shallow: a list of ten thousand is shown for each filter, and nobody changes what is shown.
    shown = dict(template)
    for name, value in kept.items():
        if name not in shown:
            continue
        if isinstance(shown[name], dict) and isinstance(value, dict):
            shown[name] = {**shown[name], **value}
        else:
            shown[name] = value
    shown["keyCredentials"] = [
        {name: key.get(name) if name != "key" or keys else None for name in _KEY}
        for key in kept.get("keyCredentials") or ()
    ]
    shown["passwordCredentials"] = [
        {name: password.get(name) if name != "secretText" else None for name in _PASSWORD}
        for password in kept.get("passwordCredentials") or ()
    ]
    return shown
