"""Who puts a certificate on the application: the application itself, or an identity that may change it."""

from __future__ import annotations

import time
from abc import ABC, abstractmethod
from functools import cached_property
from typing import TYPE_CHECKING

from azcert.errors import RegistrationError
from azcert.registration.proof import proof_of_possession

if TYPE_CHECKING:
    from collections.abc import Callable
    from contextlib import AbstractContextManager

    from azcert.certificate.model import Certificate
    from azcert.certificate.signer import SigningCertificate
    from azcert.registration.sync import Registrations

__all__ = ["DirectoryRegistrar", "OwnRegistrar", "Registrar"]

_GONE = 404
_ALREADY_REMOVED = "No credentials found to be removed"  # Graph says so with 400 Request_BadRequest
_FORBIDDEN = 403


class Registrar(ABC):
    """Changes the certificates of one application. A second call for the same thing does nothing."""

    sees_all = True
    """False once it turned out that the application may not be read: `key_ids` then knows of none."""

    @abstractmethod
    def key_ids(self, thumbprint: str) -> list[str]:
        """Return the ids of a certificate on the application: none where it is not there or not known.

        Several, where it was added again because nobody heard the answer to the first time.
        """

    @abstractmethod
    def add(self, certificate: Certificate) -> str:
        """Put a certificate on the application and return its id."""

    @abstractmethod
    def remove(self, key_id: str) -> None:
        """Take a certificate off the application."""

    def take_off(self, thumbprint: str, key_id: str | None) -> bool:
        """Take a certificate off the application, as often as it is there.

        :param key_id: the id it is known to have been added under.
        :return: False where it may be there under an id that nobody knows here.
        """
        ids = {*self.key_ids(thumbprint), *([key_id] if key_id else [])}
        for each in sorted(ids):
            self.remove(each)
        return bool(ids) or self.sees_all


class DirectoryRegistrar(Registrar):
    """An identity that may read and change the application."""

    def __init__(self, registrations: Registrations, application: str) -> None:
        self._registrations = registrations
        self._application = application

    @cached_property
    def _object_id(self) -> str:
        return self._registrations.find(self._application).id

    def key_ids(self, thumbprint: str) -> list[str]:
        """Return the ids of the certificate with this SHA-1 thumbprint."""
        keys = self._registrations.get(self._object_id).keys
        return [key.key_id for key in keys if key.thumbprint == thumbprint]

    def add(self, certificate: Certificate) -> str:
        """Put a certificate on the application, beside all it has."""
        return self._registrations.add_certificate(self._object_id, certificate).key_id

    def remove(self, key_id: str) -> None:
        """Take a certificate off the application."""
        self._registrations.remove_certificate(self._object_id, key_id)


class OwnRegistrar(Registrar):
    """The application itself, without any directory permission (``addKey``, ``removeKey``).

    :param registrations: signed in as the application.
    :param object_id: the application's object id.
    :param holder: lends the certificate in use, whose key proves who asks.
    """

    def __init__(
        self,
        registrations: Registrations,
        object_id: str,
        holder: Callable[[], AbstractContextManager[SigningCertificate]],
        *,
        now: Callable[[], float] = time.time,
    ) -> None:
        self._registrations = registrations
        self._object_id = object_id
        self._holder = holder
        self._now = now

    def key_ids(self, thumbprint: str) -> list[str]:
        """Return the certificate's ids where the application may read itself, else none."""
        try:
            keys = self._registrations.get(self._object_id).keys
        except RegistrationError as error:
            if error.details.get("status") == _FORBIDDEN:
                self.sees_all = False
                return []
            raise self._explained(error) from error
        return [key.key_id for key in keys if key.thumbprint == thumbprint]

    def add(self, certificate: Certificate) -> str:
        """Add the certificate, proving that one the application has is held here."""
        known = self.key_ids(certificate.thumbprint)
        if known:
            return known[0]
        try:
            return self._registrations.add_key(self._object_id, certificate, self._proof()).key_id
        except RegistrationError as error:
            raise self._explained(error) from error

    def remove(self, key_id: str) -> None:
        """Remove a certificate, proving that another one is held here."""
        try:
            self._registrations.remove_key(self._object_id, key_id, self._proof())
        except RegistrationError as error:
            # Stopped between the removal and its record, a run asks once more.
            if error.details.get("status") != _GONE and _ALREADY_REMOVED not in error.message:
                raise

    def _explained(self, error: RegistrationError) -> RegistrationError:
        """Say what most often is wrong where Graph finds no such application."""
        if error.details.get("status") != _GONE:
            return error
        return RegistrationError(
            error.message,
            code=error.code,
            remedy="The object id is that of the app registration (its Overview page, or azcert app show), "
            "neither the client id nor that of the enterprise application.",
            **error.details,
        )

    def _proof(self) -> str:
        with self._holder() as held:
            return proof_of_possession(held, self._object_id, now=int(self._now()))
