"""A certificate's policy: what a request asks for, with the service's defaults for the rest.

https://learn.microsoft.com/rest/api/keyvault/certificates/create-certificate/create-certificate
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID

from azcert.emulator.keyvault import faults
from azcert.emulator.keyvault.faults import VaultRefusal

if TYPE_CHECKING:
    import datetime as dt

    from azcert.emulator.keyvault.jwk import PrivateKey

__all__ = ["PEM", "PKCS12", "USAGES", "complete", "from_certificate", "subject_name"]

PKCS12, PEM = "application/x-pkcs12", "application/x-pem-file"
SERVER_AND_CLIENT = ["1.3.6.1.5.5.7.3.1", "1.3.6.1.5.5.7.3.2"]
# The policy's spelling -> the name in `x509.KeyUsage`.
USAGES = {
    "digitalSignature": "digital_signature",
    "nonRepudiation": "content_commitment",
    "keyEncipherment": "key_encipherment",
    "dataEncipherment": "data_encipherment",
    "keyAgreement": "key_agreement",
    "keyCertSign": "key_cert_sign",
    "cRLSign": "crl_sign",
    "encipherOnly": "encipher_only",
    "decipherOnly": "decipher_only",
}
_USAGE_BY_LOWER = {name.lower(): name for name in USAGES}
# .NET's spelling of two attributes that RFC 4514 spells otherwise.
_OIDS = {"S": NameOID.STATE_OR_PROVINCE_NAME, "E": NameOID.EMAIL_ADDRESS}


def subject_name(text: object) -> x509.Name:
    """Read a subject such as ``CN=app, O=Contoso``.

    :raises VaultRefusal: it is no X.500 name.
    """
    if isinstance(text, str) and text.strip():
        spelled = re.sub(r"(^|[,+;])\s*([A-Za-z]+)\s*=", lambda part: f"{part[1]}{part[2].upper()}=", text)
        try:
            return x509.Name.from_rfc4514_string(spelled, {"S": _OIDS["S"], "E": _OIDS["E"]})
        except ValueError:
            pass
    raise VaultRefusal(
        faults.PROPERTY, name="policy.x509_props", reason="Invalid X.500 distinguished name\r\n"
    )


def complete(body: dict[str, Any], now: int, base: dict[str, Any] | None = None) -> dict[str, Any]:
    """Return a request's policy, completed from *base* or the defaults; members in the service's order.

    :raises VaultRefusal: a member has a value of another type, or one that is not offered.
    """
    given = _object(body, "policy", body.get("policy"))
    base = base or {}
    key_props = {"exportable": True, "kty": "RSA", "key_size": None, "reuse_key": False}
    key_props |= base.get("key_props", {})
    key_props |= _present(_object(given, "key_props", given.get("key_props")))
    if key_props["key_size"] is None and str(key_props["kty"]).startswith("RSA"):
        key_props["key_size"] = 2048
    secret = base.get("secret_props", {"contentType": PKCS12}) | _present(
        _object(given, "secret_props", given.get("secret_props"))
    )
    if secret["contentType"] not in {PKCS12, PEM}:
        raise VaultRefusal(
            faults.PROPERTY, name="policy.secret_props", reason=f"It must be {PKCS12} or {PEM}."
        )
    issuer = base.get("issuer", {"name": "Self"}) | _present(_object(given, "issuer", given.get("issuer")))
    actions = given.get("lifetime_actions")
    default = "EmailContacts" if issuer["name"] == "Unknown" else "AutoRenew"
    if not isinstance(actions, list):
        actions = base.get(
            "lifetime_actions",
            [{"trigger": {"lifetime_percentage": 80}, "action": {"action_type": default}}],
        )
    return {
        "key_props": {name: value for name, value in key_props.items() if value is not None},
        "secret_props": secret,
        "x509_props": _x509_props(given, base.get("x509_props")),
        "lifetime_actions": actions,
        "issuer": issuer,
        "attributes": {
            "enabled": True,
            "created": (base.get("attributes") or {}).get("created", now),
            "updated": now,
        },
    }


def from_certificate(
    certificate: x509.Certificate, key: PrivateKey, body: dict[str, Any], content_type: str, now: int
) -> dict[str, Any]:
    """Return the policy that the service derives from an imported certificate."""
    given = _object(body, "policy", body.get("policy"))
    asked = _object(given, "key_props", given.get("key_props"))
    key_props: dict[str, Any] = {"exportable": asked.get("exportable") is not False}
    if isinstance(key, rsa.RSAPrivateKey):
        key_props |= {"kty": "RSA", "key_size": key.key_size}
    else:
        key_props |= {"kty": "EC", "key_size": key.curve.key_size}
    key_props["reuse_key"] = False
    actions = given.get("lifetime_actions")
    if not isinstance(actions, list):
        actions = [{"trigger": {"lifetime_percentage": 80}, "action": {"action_type": "EmailContacts"}}]
    return {
        "key_props": key_props,
        "secret_props": {"contentType": content_type},
        "x509_props": {
            "subject": _dotnet_name(certificate.subject),
            "ekus": _ekus(certificate),
            "key_usage": _key_usage(certificate),
            # The recordings show 13 for twelve months and ten minutes, 1200 for a hundred years.
            "validity_months": _months(certificate.not_valid_before_utc, certificate.not_valid_after_utc),
            "basic_constraints": {"ca": _is_ca(certificate)},
        },
        "lifetime_actions": actions,
        "issuer": {"name": "Unknown"},
        "attributes": {"enabled": True, "created": now, "updated": now},
    }


def _x509_props(given: dict[str, Any], base: dict[str, Any] | None) -> dict[str, Any]:
    asked = _object(given, "x509_props", given.get("x509_props"))
    base = base or {}
    subject = asked.get("subject") or base.get("subject")
    sans = asked.get("sans", base.get("sans"))
    if sans is not None:
        _object(asked, "sans", sans)
    if subject or not (sans or {}):
        subject_name(subject)
    usages = asked.get("key_usage")
    if usages is None:
        usages = base.get("key_usage", ["digitalSignature", "keyEncipherment"])
    named = [_USAGE_BY_LOWER.get(str(usage).lower()) for usage in usages]
    if None in named:
        raise VaultRefusal(
            faults.PROPERTY, name="policy.x509_props.key_usage", reason=f"It may name {list(USAGES)}."
        )
    months = asked.get("validity_months")
    if months is None:
        months = base.get("validity_months", 12)
    if not isinstance(months, int) or not 1 <= months <= 1200:  # noqa: PLR2004 - a hundred years
        raise VaultRefusal(
            faults.PROPERTY, name="policy.x509_props.validity_months", reason="It must be 1 to 1200."
        )
    ekus = asked.get("ekus") if asked.get("ekus") is not None else base.get("ekus", SERVER_AND_CLIENT)
    ca = _object(asked, "basic_constraints", asked.get("basic_constraints")).get("ca", False)
    return {
        "subject": subject or "",
        **({"sans": sans} if sans is not None else {}),
        "ekus": ekus,
        "key_usage": usages,
        "validity_months": months,
        "basic_constraints": {"ca": ca is True},
    }


def _object(_owner: dict[str, Any], name: str, value: object) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise VaultRefusal(faults.PROPERTY, name=name, reason="It must be an object.")
    return value


def _present(members: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _dotnet_name(name: x509.Name) -> str:
    """Return a name as .NET prints it: last attribute first, ``S`` for the state, a blank after commas."""
    spelled = {_OIDS["S"]: "S", _OIDS["E"]: "E"}
    return ", ".join(rdn.rfc4514_string(spelled) for rdn in reversed(name.rdns))


def _ekus(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    except x509.ExtensionNotFound:
        return []
    return [usage.dotted_string for usage in found]


def _key_usage(certificate: x509.Certificate) -> list[str]:
    try:
        found = certificate.extensions.get_extension_for_class(x509.KeyUsage).value
    except x509.ExtensionNotFound:
        return []
    # Two of them are defined only together with a third (RFC 5280, 4.2.1.3).
    dependent = set() if found.key_agreement else {"encipher_only", "decipher_only"}
    return [
        name for name, attribute in USAGES.items() if attribute not in dependent and getattr(found, attribute)
    ]


def _is_ca(certificate: x509.Certificate) -> bool:
    try:
        return certificate.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    except x509.ExtensionNotFound:
        return False


def _months(start: dt.datetime, end: dt.datetime) -> int:
    """Return how many calendar months begin between two moments."""
    whole = (end.year - start.year) * 12 + end.month - start.month
    rest_of_month = (end.day, end.time()) > (start.day, start.time())
    return max(1, whole + (1 if rest_of_month else 0))
