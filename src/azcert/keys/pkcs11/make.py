"""Put keys and certificates into a token."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID
from pkcs11 import Attribute, CertificateType, KeyType, MechanismFlag, ObjectClass

from azcert.errors import ConfigurationError
from azcert.keys.pkcs11.signer import Pkcs11Signer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cryptography import x509
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from azcert.keys.pkcs11.objects import ObjectQuery
    from azcert.keys.pkcs11.token import PinGiver, Token, TokenSession

__all__ = [
    "generate_key",
    "import_key",
    "remove_certificates",
    "remove_key",
    "remove_pair",
    "store_certificate",
]

# The key signs and does nothing else, and never leaves (PKCS#11 2.40, 4.9).
_PRIVATE = {
    Attribute.PRIVATE: True,
    Attribute.SENSITIVE: True,
    Attribute.EXTRACTABLE: False,
    Attribute.SIGN: True,
    Attribute.DECRYPT: False,
    Attribute.UNWRAP: False,
}


def generate_key(token: Token, pin: PinGiver, key: ObjectQuery, *, bits: int = 2048) -> Pkcs11Signer:
    """Generate an RSA key inside the token, not extractable for good, and return its signer.

    :param key: label and id to give it; both are needed, and the id must be free.
    :raises ConfigurationError: a label or id is missing, or the id is taken.
    """
    label, identity = _named(key)

    def work(session: TokenSession) -> None:
        _refuse_taken(session, token, key)
        session.session.generate_keypair(
            KeyType.RSA,
            bits,
            id=identity,
            label=label,
            store=True,
            capabilities=MechanismFlag.SIGN | MechanismFlag.VERIFY,
            private_template=dict(_PRIVATE),
        )

    token.use(pin, work, "generate a key", write=True)
    return Pkcs11Signer(token, pin, key)


def import_key(token: Token, pin: PinGiver, key: ObjectQuery, private: RSAPrivateKey) -> Pkcs11Signer:
    """Put an existing RSA key into the token, not extractable from there, and return its signer.

    The copy that it came from stays where it is: deleting it is up to the caller.

    :raises ConfigurationError: a label or id is missing, or the id is taken.
    """
    label, identity = _named(key)
    numbers = private.private_numbers()
    public = numbers.public_numbers
    common: dict[Attribute, Any] = {
        Attribute.KEY_TYPE: KeyType.RSA,
        Attribute.TOKEN: True,
        Attribute.LABEL: label,
        Attribute.ID: identity,
        Attribute.MODULUS: _big(public.n),
        Attribute.PUBLIC_EXPONENT: _big(public.e),
    }
    secret = {
        Attribute.PRIVATE_EXPONENT: _big(numbers.d),
        Attribute.PRIME_1: _big(numbers.p),
        Attribute.PRIME_2: _big(numbers.q),
        Attribute.EXPONENT_1: _big(numbers.dmp1),
        Attribute.EXPONENT_2: _big(numbers.dmq1),
        Attribute.COEFFICIENT: _big(numbers.iqmp),
    }

    def work(session: TokenSession) -> None:
        _refuse_taken(session, token, key)
        session.session.create_object(
            {Attribute.CLASS: ObjectClass.PRIVATE_KEY, **common, **_PRIVATE, **secret}
        )
        session.session.create_object(
            {Attribute.CLASS: ObjectClass.PUBLIC_KEY, **common, Attribute.VERIFY: True}
        )

    token.use(pin, work, "import a key", write=True)
    return Pkcs11Signer(token, pin, key, public_key=private.public_key())


def store_certificate(
    token: Token,
    pin: PinGiver,
    key: ObjectQuery,
    certificate: x509.Certificate,
    *,
    chain: Sequence[x509.Certificate] = (),
) -> None:
    """Put a certificate beside its key, same label and same id, where others look for it.

    What is there already is left as it is.

    :param chain: its issuers, each stored under its own name and without an id.
    :raises ConfigurationError: a label or id is missing.
    """
    label, identity = _named(key)
    templates = [_template(certificate, label) | {Attribute.ID: identity}]
    templates += [_template(issuer, _common_name(issuer)) for issuer in chain]

    def work(session: TokenSession) -> None:
        for template in templates:
            same = {Attribute.CLASS: ObjectClass.CERTIFICATE, Attribute.VALUE: template[Attribute.VALUE]}
            if Attribute.ID in template:
                same[Attribute.ID] = template[Attribute.ID]
            if not list(session.session.get_objects(same)):
                session.session.create_object(template)

    token.use(pin, work, "store the certificate", write=True)


def _template(certificate: x509.Certificate, label: str) -> dict[Attribute, Any]:
    return {
        Attribute.CLASS: ObjectClass.CERTIFICATE,
        Attribute.CERTIFICATE_TYPE: CertificateType.X_509,
        Attribute.TOKEN: True,
        Attribute.PRIVATE: False,
        Attribute.LABEL: label,
        Attribute.SUBJECT: certificate.subject.public_bytes(),
        Attribute.ISSUER: certificate.issuer.public_bytes(),
        Attribute.SERIAL_NUMBER: _der_integer(certificate.serial_number),
        Attribute.VALUE: certificate.public_bytes(Encoding.DER),
    }


def _common_name(certificate: x509.Certificate) -> str:
    names = certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)
    return str(names[0].value) if names else certificate.subject.rfc4514_string()


def remove_certificates(token: Token, pin: PinGiver, der: bytes) -> int:
    """Remove every copy of the certificate from the token; the key stays. Return how many there were."""

    def work(session: TokenSession) -> int:
        same = {Attribute.CLASS: ObjectClass.CERTIFICATE, Attribute.VALUE: der}
        found = list(session.session.get_objects(same))
        for item in found:
            item.destroy()
        return len(found)

    return token.use(pin, work, "remove the certificate", write=True)


def remove_pair(token: Token, pin: PinGiver, certificate: x509.Certificate) -> None:
    """Remove the certificate from the token, and the key pair of its modulus; idempotent."""
    public = certificate.public_key()
    assert isinstance(public, RSAPublicKey), "only RSA keys are used"  # noqa: S101
    modulus = _big(public.public_numbers().n)
    templates: list[dict[Attribute, Any]] = [
        {Attribute.CLASS: kind, Attribute.KEY_TYPE: KeyType.RSA, Attribute.MODULUS: modulus}
        for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY)
    ]
    # The certificate goes last: a run that was stopped in between finds by it what is left. It is not the
    # newest of its label any more, so that nobody looks for its key.
    templates.append(
        {Attribute.CLASS: ObjectClass.CERTIFICATE, Attribute.VALUE: certificate.public_bytes(Encoding.DER)}
    )

    def work(session: TokenSession) -> None:
        for template in templates:
            for item in list(session.session.get_objects(template)):
                item.destroy()

    token.use(pin, work, "remove a key with its certificate", write=True)


def remove_key(token: Token, pin: PinGiver, key: ObjectQuery) -> None:
    """Remove the key pair of that label and id; idempotent."""
    label, identity = _named(key)

    def work(session: TokenSession) -> None:
        for kind in (ObjectClass.PRIVATE_KEY, ObjectClass.PUBLIC_KEY):
            same = {Attribute.CLASS: kind, Attribute.LABEL: label, Attribute.ID: identity}
            for item in list(session.session.get_objects(same)):
                item.destroy()

    token.use(pin, work, "remove a key", write=True)


def _named(key: ObjectQuery) -> tuple[str, bytes]:
    if key.label is None or key.id is None:
        raise ConfigurationError(
            f"A new key in a PKCS#11 token needs a label and an id; given: {key}.",
            code="key-not-named",
            remedy="Write object=NAME and id=%01 into the URI.",
        )
    return key.label, key.id


def _refuse_taken(session: TokenSession, token: Token, key: ObjectQuery) -> None:
    template = {Attribute.CLASS: ObjectClass.PRIVATE_KEY, Attribute.ID: key.id}
    if list(session.session.get_objects(template)):
        raise ConfigurationError(
            f"{token} already has a private key with id {key.id.hex() if key.id else ''}.",
            code="key-exists",
            remedy="Choose another id= in the URI.",
            token=str(token),
        )


def _big(number: int) -> bytes:
    return number.to_bytes((number.bit_length() + 7) // 8, "big")


def _der_integer(number: int) -> bytes:
    """Return the DER of an INTEGER, which is what CKA_SERIAL_NUMBER holds (PKCS#11 2.40, 4.6.3)."""
    content = number.to_bytes(number.bit_length() // 8 + 1, "big")
    return bytes([2, len(content)]) + content
