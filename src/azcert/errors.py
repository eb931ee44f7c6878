"""Every exception azcert raises, and the question each one answers for a caller.

::

    AzcertError
    |-- CertificateError      (ValueError)    these bytes are not a usable certificate or key
    |-- SourceError           (ValueError)    this name of a certificate is not well formed
    |-- SelectionError        (LookupError)   nothing, or too much, was found under that name
    |-- AccessError           (PermissionError) this user may not read or use it
    |-- SigningError                          the place that holds the key did not sign
    |-- ConfigurationError    (ValueError)    a setting or argument is wrong
    |-- EmulatorError                         the emulator did not start, or none runs
    |-- RegistrationError                     Microsoft Graph or ARM refused a change of the registration
    |-- TransportError        (azure.core AzureError)  no answer, or no whole one, came over the network
    `-- AuthenticationError   (azure.core ClientAuthenticationError)  Entra ID refused

*Could not try* is azure-identity's own ``CredentialUnavailableError``, so that chains go on; `unavailable`
makes one. Errors carry data (``code``, ``details``), not only text; nothing secret is ever among it.

azure-core takes longer to import than all of azcert, so the two errors that are azure-core's as well are
imported when one is first named: code that may never need them says ``errors.TransportError``.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from azure.identity import CredentialUnavailableError

    from azcert._azure_errors import AuthenticationError, TransportError

__all__ = [
    "AccessError",
    "AuthenticationError",
    "AzcertError",
    "CertificateError",
    "ConfigurationError",
    "RegistrationError",
    "SelectionError",
    "SigningError",
    "SourceError",
    "TransportError",
    "unavailable",
]


class AzcertError(Exception):
    """Something a caller can understand and mend.

    :param message: what was attempted on which thing, what was found and what was expected.
    :param code: stable kebab-case name of the fault, for programs (``"wrong-password"``).
    :param remedy: one sentence: what to do next, a command where there is one.
    :param details: facts as plain JSON values, for ``--json`` and logs; never secrets.
    """

    def __init__(self, message: str, *, code: str, remedy: str | None = None, **details: Any) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.remedy = remedy
        self.details = details

    def __str__(self) -> str:
        return f"{self.message} {self.remedy}" if self.remedy else self.message

    def __reduce__(self) -> tuple[Any, ...]:
        # Keyword-only arguments do not survive the default pickling (multiprocessing, pytest-xdist).
        return (_rebuild, (type(self), self.message, self.code, self.remedy, self.details))

    def as_dict(self) -> dict[str, Any]:
        """Return the error as plain JSON values."""
        return {"code": self.code, "message": self.message, "remedy": self.remedy, **self.details}


class CertificateError(AzcertError, ValueError):
    """These bytes are not a usable certificate or private key."""


class SourceError(AzcertError, ValueError):
    """The name of a certificate is not well formed; ``details["position"]`` is the offset of the fault."""


class SelectionError(AzcertError, LookupError):
    """Nothing (``not-found``), too much (``ambiguous``) or no key (``no-private-key``) under that name."""


class AccessError(AzcertError, PermissionError):
    """This user may not read or use the certificate's key."""

    # OSError has a __str__ of its own that would hide the remedy.
    __str__ = AzcertError.__str__


class SigningError(AzcertError):
    """The place that holds the key did not sign."""


class ConfigurationError(AzcertError, ValueError):
    """A setting, environment variable or argument is wrong."""


class RegistrationError(AzcertError):
    """Microsoft Graph or Azure Resource Manager refused; ``details`` has the status and their code."""


class EmulatorError(AzcertError):
    """The emulator could not be started, or a running one could not be reached."""


def unavailable(message: str, *, remedy: str | None = None) -> CredentialUnavailableError:
    """Return azure-identity's ``CredentialUnavailableError``: the credential could not even be tried."""
    # Late: azure-identity takes longer to import than everything else a first token needs.
    from azure.identity import CredentialUnavailableError as Unavailable

    return Unavailable(message=f"{message} {remedy}" if remedy else message)


def __getattr__(name: str) -> Any:
    """Import the errors that are azure-core's as well on first use (PEP 562)."""
    if name not in {"AuthenticationError", "TransportError"}:
        raise AttributeError(f"module 'azcert.errors' has no attribute {name!r}")
    from azcert import _azure_errors

    for each in _azure_errors.__all__:
        globals()[each] = getattr(_azure_errors, each)
    return globals()[name]


def _rebuild(
    kind: type[AzcertError], message: str, code: str, remedy: str | None, details: dict[str, Any]
) -> AzcertError:
    return kind(message, code=code, remedy=remedy, **details)
