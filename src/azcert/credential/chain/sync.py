"""The default chain, for threads: the environment's certificate, then azure-identity's own chain."""

from __future__ import annotations

import os
import threading
from time import monotonic
from typing import TYPE_CHECKING, Any

from azcert.credential.chain.attempts import Attempt, Attempts, current, failure
from azcert.credential.chain.environment import certificate_from, identity_chain, plan_default
from azcert.errors import AuthenticationError, AzcertError, TransportError, unavailable

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType
    from typing import Self

    from azure.core.credentials import AccessToken, AccessTokenInfo, TokenRequestOptions

    from azcert.credential.chain.environment import EnvironmentCertificate

__all__ = ["DefaultCredential", "EnvironmentCredential", "FirstUsable", "late"]


class _Chain:
    """Asks links in order until one gives a token; only "unavailable" leads to the next one."""

    _name = ""

    def __init__(self) -> None:
        self._links: list[Any] = []
        self._attempts: tuple[Attempt, ...] = ()

    @property
    def attempts(self) -> tuple[Attempt, ...]:
        """What the last call that had to choose tried, in order."""
        return self._attempts

    def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        """Return an access token for *scopes*; Azure's clients call this.

        :raises azcert.errors.AuthenticationError: no link gave one; ``details["attempts"]`` lists them.
        """
        token: AccessToken = self._ask(scopes, lambda link: link.get_token(*scopes, **kwargs))
        return token

    def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """Return an access token with its times; Azure's clients call this.

        :raises azcert.errors.AuthenticationError: no link gave one; ``details["attempts"]`` lists them.
        """
        token: AccessTokenInfo = self._ask(scopes, lambda link: link.get_token_info(*scopes, options=options))
        return token

    def _ask(self, scopes: Sequence[str], call: Callable[[Any], Any]) -> Any:
        from azure.core.exceptions import ClientAuthenticationError  # beside azure.identity
        from azure.identity import CredentialUnavailableError  # slow to import

        attempts = Attempts()
        token = current.set(attempts)
        cause: Exception | None = None
        try:
            for link in self._links:
                try:
                    return call(link)
                except CredentialUnavailableError as error:
                    cause = error
                except AuthenticationError:
                    raise
                except ClientAuthenticationError as error:
                    # azure-identity's chain, whose own links have noted why.
                    cause = error
                    break
        finally:
            current.reset(token)
            self._attempts = tuple(attempts.made)
        raise failure(self._attempts, scopes, chain=self._name, retry_at=attempts.retry_at) from cause

    def close(self) -> None:
        """Close the links."""
        for link in self._links:
            link.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None = None,
        error: BaseException | None = None,
        trace: TracebackType | None = None,
    ) -> None:
        self.close()


class _Noted:
    """A link that notes what happened to it."""

    def __init__(self, credential: Any, name: str | None = None) -> None:
        self._credential = credential
        # azure-identity's chain prints this name.
        self._credential_name: str = name or str(
            getattr(credential, "_credential_name", type(credential).__name__)
        )

    def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        """Ask the credential."""
        token: AccessToken = self._note(lambda: self._credential.get_token(*scopes, **kwargs))
        return token

    def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """Ask the credential."""
        token: AccessTokenInfo = self._note(lambda: self._credential.get_token_info(*scopes, options=options))
        return token

    def _note(self, call: Callable[[], Any]) -> Any:
        attempts, started = current.get(), monotonic()
        try:
            token = call()
        except Exception as error:
            if attempts is not None:
                attempts.add(self._credential_name, started, error)
            raise
        if attempts is not None:
            attempts.add(self._credential_name, started, None)
        return token

    def close(self) -> None:
        """Close the credential."""
        self._credential.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *args: object) -> None:
        self.close()


class DefaultCredential(_Chain):
    """azure-identity's ``DefaultAzureCredential``, with any certificate source in the environment.

    Where AZURE_CLIENT_CERTIFICATE_PATH names a certificate (a file, ``store:...``, ``pkcs11:...``; with
    AZURE_TENANT_ID and AZURE_CLIENT_ID, and no AZURE_CLIENT_SECRET), `CertificateCredential` takes the place
    of ``EnvironmentCredential``; AZURE_CLIENT_SEND_CERTIFICATE_CHAIN is read as a boolean. After it
    azure-identity's chain goes on unchanged, AZURE_TOKEN_CREDENTIALS and ``exclude_*`` included.

    :keyword options: those of ``DefaultAzureCredential``.
    :raises azcert.errors.ConfigurationError: a keyword is unknown, or a variable has no sense.
    :raises azcert.errors.AzcertError: the environment names a certificate that cannot be used.
    """

    _name = "the default chain"

    def __init__(self, **options: Any) -> None:
        super().__init__()
        plan = plan_default(options, os.environ)
        if plan.certificate is not None:
            own = _certificate_credential(plan.certificate, plan.own_options)
            self._links.append(_Noted(own, "EnvironmentCredential"))
        if plan.chain_options is not None:
            from azure.identity import DefaultAzureCredential  # slow to import

            chain = identity_chain(DefaultAzureCredential, plan.chain_options)
            chain.credentials = tuple(_Noted(credential) for credential in chain.credentials)
            self._links.append(chain)


class EnvironmentCredential(_Chain):
    """azure-identity's ``EnvironmentCredential``, with any certificate source."""

    _name = "the environment"

    def __init__(self, **options: Any) -> None:
        super().__init__()
        certificate = certificate_from(os.environ)
        if certificate is not None:
            self._links.append(_Noted(_certificate_credential(certificate, options), "EnvironmentCredential"))
            return
        from azure.identity import EnvironmentCredential as Theirs  # slow to import

        self._links.append(_Noted(Theirs(**options)))

    def _ask(self, scopes: Sequence[str], call: Callable[[Any], Any]) -> Any:
        del scopes
        # One link: its own error is the best one, and a chain around this goes on when it is unavailable.
        return call(self._links[0])


class FirstUsable(_Chain):
    """The first of several credentials that can be used, as Microsoft.Identity.Web chooses.

    :param makers: functions that build a credential when its turn comes; ``name`` is what messages call it.
    """

    _name = "the list"

    def __init__(self, *makers: Any) -> None:
        super().__init__()
        self._links = [late(maker) for maker in makers]
        self._chosen: Any = None

    def _ask(self, scopes: Sequence[str], call: Callable[[Any], Any]) -> Any:
        if self._chosen is not None:
            return call(self._chosen)

        def ask(link: Any) -> Any:
            token = call(link)
            self._chosen = link
            return token

        return super()._ask(scopes, ask)


def late(maker: Any) -> Any:
    """Return a link of a chain that *maker* builds when its turn comes, and that is passed over if it cannot.

    :param maker: builds the credential; its ``name`` is what messages call it.
    """
    return _Noted(_Late(maker), maker.name)


class _Late:
    """Builds its credential on first use; one that cannot be built or loaded is unavailable."""

    def __init__(self, maker: Callable[[], Any]) -> None:
        self._maker = maker
        self._lock = threading.Lock()
        self._credential: Any = None

    def _call(self, method: str, scopes: Sequence[str], kwargs: Mapping[str, Any]) -> Any:
        try:
            with self._lock:
                if self._credential is None:
                    self._credential = self._maker()
            return getattr(self._credential, method)(*scopes, **kwargs)
        except (AuthenticationError, TransportError):
            raise
        except AzcertError as error:
            raise unavailable(error.message, remedy=error.remedy) from error

    def get_token(self, *scopes: str, **kwargs: Any) -> AccessToken:
        """Ask the credential."""
        token: AccessToken = self._call("get_token", scopes, kwargs)
        return token

    def get_token_info(self, *scopes: str, options: TokenRequestOptions | None = None) -> AccessTokenInfo:
        """Ask the credential."""
        token: AccessTokenInfo = self._call("get_token_info", scopes, {"options": options})
        return token

    def close(self) -> None:
        """Close the credential if it was built."""
        if self._credential is not None:
            self._credential.close()


def _certificate_credential(certificate: EnvironmentCertificate, options: Mapping[str, Any]) -> Any:
    from azcert.credential.sync import CertificateCredential  # only where there is one

    return CertificateCredential(**vars(certificate), **options)
