"""The order of a migration, in which the application can sign in at every moment.

Nothing is recorded: what is done is seen in the key file, the registration, the settings and their copy. So a
run that was stopped anywhere is simply run again.
"""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from azure.core.exceptions import ClientAuthenticationError

from azcert._files import PUBLIC, write_atomic
from azcert.certificate import writers
from azcert.certificate.issue import generate_key, self_signed
from azcert.errors import AuthenticationError, ConfigurationError, RegistrationError
from azcert.migration.settings import give_to
from azcert.sources.open import open_source

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from azcert.certificate.signer import SigningCertificate
    from azcert.migration.model import Change
    from azcert.migration.settings import SettingsFile
    from azcert.registration.model import PasswordCredential
    from azcert.registration.sync import Registrations
    from azcert.rotation.prover import Prover

__all__ = ["MEANING", "Migration", "Step", "make_certificate", "removable_secret"]


class Step(StrEnum):
    """What a migration does, in this order."""

    MAKE = "make"
    REGISTER = "register"
    PROVE = "prove"
    REWRITE = "rewrite"


MEANING = {
    Step.MAKE: "make a key and a certificate for it",
    Step.REGISTER: "put the certificate on the app registration, beside the secret",
    Step.PROVE: "sign in with it until that works several times in a row",
    Step.REWRITE: "name it in the settings instead of the secret, and keep a copy of them",
}
_NOT_ALLOWED = {401, 403}


def make_certificate(path: Path, *, name: str, days: int, like: Path) -> None:
    """Make a key file for *name* and its ``.cer``, unless it is there; they belong to *like*'s owner."""
    if path.exists():
        return
    key = generate_key(2048)
    certificate = self_signed(key, subject=name, alternative_names=(), days=days, now=dt.datetime.now(dt.UTC))
    status = like.stat()
    public = path.with_suffix(".cer")
    write_atomic(public, writers.public_pem(certificate, chain=False), mode=PUBLIC, overwrite=True)
    # The key comes last: where it is, the other is, too.
    write_atomic(path, writers.pem(key, certificate, password=None))
    give_to(public, status)
    give_to(path, status)


@dataclass(frozen=True)
class Migration:
    """One application's way from its secret to the certificate of *source*.

    :param make: makes what *source* names where it is not there yet; None where the user has made it.
    :param registrations: as somebody who may change the app registration.
    :param prover: as the application.
    :param trial: likewise, but gives up at the first refusal.
    :param told: called before each step.
    """

    settings: SettingsFile
    source: str
    make: Callable[[], None] | None
    registrations: Registrations
    prover: Prover
    trial: Prover
    told: Callable[[Step], None] = lambda _: None

    def run(self, agreed: Callable[[Change], bool]) -> bool:
        """Do what is left to do; tell whether the settings name the certificate now.

        :param agreed: asked before the settings are changed.
        :raises azcert.errors.AzcertError: a step failed; the secret works as before.
        """
        change = self.settings.change(self.source)
        if self.make is not None:
            self.told(Step.MAKE)
            self.make()
        opened = open_source(self.source)
        try:
            certificate = opened.load()
            self._register(certificate)
            self.told(Step.PROVE)
            self.prover.prove(certificate)
        finally:
            opened.close()
        self.told(Step.REWRITE)
        if not agreed(change):
            return False
        self.settings.write(change)
        return True

    def _register(self, certificate: SigningCertificate) -> None:
        self.told(Step.REGISTER)
        client_id = str(self.settings.identity.client_id)
        try:
            found = self.registrations.find(client_id)
            self.registrations.add_certificate(found.id, certificate.certificate)
        except (RegistrationError, ClientAuthenticationError) as error:
            if isinstance(error, RegistrationError) and error.details.get("status") not in _NOT_ALLOWED:
                raise
            if self._is_registered(certificate):
                return
            raise RegistrationError(
                f"The certificate {certificate.certificate.thumbprint} is not on app registration "
                f"{client_id}, and this identity may not put it there.",
                code="administrator-needed",
                remedy=f"Ask an administrator for: azcert app add-certificate {client_id} FILE.cer, then run "
                "this again; it goes on from here.",
                thumbprint=certificate.certificate.thumbprint,
                app_id=client_id,
            ) from error

    def _is_registered(self, certificate: SigningCertificate) -> bool:
        try:
            self.trial.prove(certificate)
        except AuthenticationError:
            return False
        return True


def removable_secret(settings: SettingsFile, registrations: Registrations) -> tuple[str, PasswordCredential]:
    """Return the application's object id and the secret that the settings held, by its first characters.

    :raises ConfigurationError: ``secret-unknown``: the copy of the settings is gone, or none or several fit.
    """
    before = settings.secret_before()
    if before is None or before.secret is None or before.client_id is None:
        raise ConfigurationError(
            f"Which secret {settings.path} held is not known any more: there is no copy {settings.backup}.",
            code="secret-unknown",
            remedy="See `azcert app credentials APP` and remove it in the portal.",
        )
    application = registrations.find(before.client_id)
    text = before.secret.reveal()
    fitting = [each for each in application.passwords if each.hint and text.startswith(each.hint)]
    if len(fitting) != 1:
        raise ConfigurationError(
            f"{len(fitting)} secrets of {application.display_name} begin like the one in the settings.",
            code="secret-unknown",
            remedy="See `azcert app credentials APP` and remove it in the portal.",
        )
    return application.id, fitting[0]
