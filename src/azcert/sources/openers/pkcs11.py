"""A certificate and its key in a PKCS#11 token, or the certificate in a file beside it."""

from __future__ import annotations

import datetime as dt
import hashlib
import os
from typing import TYPE_CHECKING

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey

from azcert._redact import Secret
from azcert.certificate.chain import with_chain
from azcert.certificate.fitness import require_fit
from azcert.certificate.model import Certificate
from azcert.certificate.signer import SigningCertificate
from azcert.errors import AzcertError, CertificateError, SelectionError
from azcert.keys.pkcs11.module import find_module, load_module
from azcert.sources.openers.beside import file_revision, read_certificates, with_certificate

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from azcert.keys.pkcs11.objects import ObjectQuery, StoredCertificate, StoredKey
    from azcert.keys.pkcs11.signer import Pkcs11Signer
    from azcert.keys.pkcs11.token import PinGiver, Token, TokenSession
    from azcert.sources.uris.uri import Pkcs11Uri

__all__ = ["Pkcs11Source", "open", "open_place"]


class Pkcs11Source:
    """One certificate of a token, followed when a newer one is put beside it.

    :param password: the user PIN; without it, AZCERT_PKCS11_PIN of the environment, else none.
    :param now: the clock; the current UTC time without it.
    """

    blocking = True

    def __init__(
        self,
        uri: Pkcs11Uri,
        *,
        password: Secret | None = None,
        now: Callable[[], dt.datetime] | None = None,
    ) -> None:
        self.name = str(uri)
        self._uri = uri
        self._pin = pin_giver(password)
        self._now = now or _utc_now

    def revision(self) -> Hashable:
        """Return what changes when certificates of that name come or go, in the token or the file."""
        if self._uri.certificate:
            return file_revision(self._uri.certificate)
        try:
            token, query = open_place(self._uri)
            found = token.use(self._pin, lambda session: _certificates(session, query), "list certificates")
        except AzcertError as error:
            return error.code
        return frozenset(hashlib.sha256(each.der).digest() for each in found)

    def load(self, *, skip: frozenset[str] = frozenset()) -> SigningCertificate:
        """Return the certificate with its signer (`azcert.sources.source.Source.load`).

        :raises SelectionError: no such module, token, certificate or key, or several.
        :raises AccessError: the PIN is missing, wrong or locked.
        """
        token, query = open_place(self._uri)
        if self._uri.certificate:
            certificates = read_certificates(self._uri.certificate)
            return self._load_beside(token, query, certificates, self._uri.certificate, skip)
        found, pool, keys = token.use(
            self._pin, lambda session: _read_all(session, query), "list keys and certificates"
        )
        best, key = self._choose(token, query, _parsed(found), keys, skip)
        certificate, extras = with_chain(best.leaf, [each.leaf for _, each in _parsed(pool)])
        require_fit(certificate, now=self._now(), name=self.name)
        public_key = best.leaf.public_key()
        assert isinstance(public_key, RSAPublicKey), "just found fit"  # noqa: S101
        return SigningCertificate(certificate, self._signer(token, key.query(), public_key), extras)

    def close(self) -> None:
        """Hold nothing open: signers close for themselves."""

    def __repr__(self) -> str:
        return f"<Pkcs11Source {self.name}>"

    def _signer(self, token: Token, key: ObjectQuery, public_key: RSAPublicKey | None) -> Pkcs11Signer:
        from azcert.keys.pkcs11.signer import Pkcs11Signer  # python-pkcs11 is an extra

        return Pkcs11Signer(token, self._pin, key, public_key=public_key)

    def _load_beside(
        self,
        token: Token,
        query: ObjectQuery,
        certificates: tuple[x509.Certificate, ...],
        name: str,
        skip: frozenset[str],
    ) -> SigningCertificate:
        signer = self._signer(token, query, None)
        try:
            return with_certificate(signer, certificates, name=name, now=self._now(), skip=skip)
        except AzcertError:
            signer.close()
            raise

    def _choose(
        self,
        token: Token,
        query: ObjectQuery,
        found: list[tuple[StoredCertificate, Certificate]],
        keys: list[StoredKey],
        skip: frozenset[str],
    ) -> tuple[Certificate, StoredKey]:
        where = str(token)
        candidates = [each for each in found if each[1].thumbprint not in skip]
        if not candidates:
            besides = f" besides those rejected: {_listed([each for _, each in found])}" if found else ""
            raise SelectionError(
                f"{where} has no certificate for {query}{besides}.",
                code="not-found",
                remedy="See what it holds: pkcs11-tool --list-objects --type cert; or name the certificate's "
                "file by certificate=FILE in the URI.",
                token=where,
            )
        pairs = [
            (certificate, key)
            for stored, certificate in candidates
            if (key := _key_of(stored, certificate, keys)) is not None
        ]
        if not pairs:
            raise _without_key(candidates, keys, where)
        if len({each.leaf.subject for each, _ in pairs}) > 1 and len({each.spki for each, _ in pairs}) > 1:
            raise SelectionError(
                f"{where} has several certificates with keys for {query}: "
                f"{_listed([each for each, _ in pairs])}.",
                code="ambiguous",
                remedy="Add object= or id= to the URI.",
                token=where,
                thumbprints=[each.thumbprint for each, _ in pairs],
            )
        now = self._now()
        return max(pairs, key=lambda pair: (pair[0].is_valid_at(now), pair[0].not_before, pair[0].not_after))


def open(  # noqa: A001 - the name every opener has (azcert.sources.open)
    uri: Pkcs11Uri, *, password: Secret | None = None, credential: object = None
) -> Pkcs11Source:
    """Return the source of a ``pkcs11:`` URI."""
    del credential
    return Pkcs11Source(uri, password=password)


def pin_giver(password: Secret | None) -> PinGiver:
    """Return what gives the PIN at login: *password*, else the environment's."""

    def give() -> Secret | None:
        from azcert.keys.pkcs11.token import PIN_VARIABLE  # python-pkcs11 is an extra

        if password is not None:
            return password
        text = os.environ.get(PIN_VARIABLE)
        return Secret(text) if text else None

    return give


def open_place(uri: Pkcs11Uri) -> tuple[Token, ObjectQuery]:
    """Return the token that *uri* names, and which object in it.

    :raises ConfigurationError: the module is missing.
    :raises SelectionError: no such token, or several.
    """
    module = load_module(find_module(uri.module_path, uri.module_name))
    from azcert.keys.pkcs11.objects import ObjectQuery  # python-pkcs11 is an extra
    from azcert.keys.pkcs11.token import TokenQuery, open_token

    query = TokenQuery(
        token=uri.token,
        serial=uri.serial,
        manufacturer=uri.manufacturer,
        model=uri.model,
        slot_id=uri.slot_id,
        slot_description=uri.slot_description,
        slot_manufacturer=uri.slot_manufacturer,
        library_description=uri.library_description,
        library_manufacturer=uri.library_manufacturer,
        library_version=uri.library_version,
    )
    return open_token(module, query), ObjectQuery(label=uri.object, id=uri.id)


def _certificates(session: TokenSession, query: ObjectQuery) -> list[StoredCertificate]:
    from azcert.keys.pkcs11.objects import certificates  # python-pkcs11 is an extra

    return certificates(session, query)


def _read_all(
    session: TokenSession, query: ObjectQuery
) -> tuple[list[StoredCertificate], list[StoredCertificate], list[StoredKey]]:
    from azcert.keys.pkcs11.objects import ObjectQuery, certificates, private_keys

    everything = ObjectQuery()
    return certificates(session, query), certificates(session, everything), private_keys(session, everything)


def _parsed(found: list[StoredCertificate]) -> list[tuple[StoredCertificate, Certificate]]:
    """Return those that can be read as X.509; tokens may hold anything."""
    parsed = []
    for stored in found:
        try:
            parsed.append((stored, Certificate(x509.load_der_x509_certificate(stored.der))))
        except ValueError:
            continue
    return parsed


def _key_of(stored: StoredCertificate, certificate: Certificate, keys: list[StoredKey]) -> StoredKey | None:
    """Return the certificate's key: of the same modulus; where the token hides it, of the same id."""
    public_key = certificate.leaf.public_key()
    modulus = public_key.public_numbers().n if isinstance(public_key, RSAPublicKey) else -1
    fitting = [key for key in keys if key.modulus == modulus]
    fitting += [key for key in keys if key.modulus is None and key.id and key.id == stored.id]
    return fitting[0] if fitting else None


def _without_key(
    candidates: list[tuple[StoredCertificate, Certificate]], keys: list[StoredKey], where: str
) -> AzcertError:
    listed = _listed([each for _, each in candidates])
    ids = {stored.id for stored, _ in candidates if stored.id}
    if any(key.id in ids for key in keys):
        return CertificateError(
            f"The key beside the certificate {listed} in {where} has the same id but is another key.",
            code="key-mismatch",
            remedy="Give each key and its certificate an id of their own.",
            token=where,
        )
    return SelectionError(
        f"The certificate {listed} in {where} has no private key there.",
        code="no-private-key",
        remedy="See what the token holds: pkcs11-tool --login --list-objects",
        token=where,
    )


def _listed(certificates: list[Certificate]) -> str:
    return ", ".join(f"{each.thumbprint} ({each.subject})" for each in certificates)


def _utc_now() -> dt.datetime:
    return dt.datetime.now(dt.UTC)
