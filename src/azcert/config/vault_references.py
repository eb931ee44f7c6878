"""Reads the secrets behind Key Vault references: each one once for all settings that name it."""

from __future__ import annotations

import contextlib
import logging
import math
import threading
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import AzureError
from azure.core.pipeline.policies import SansIOHTTPPolicy

from azcert.config.clients.options import client_options
from azcert.config.clients.shape import shape_of
from azcert.config.credentials.build import build_credential
from azcert.config.credentials.choose import CREDENTIAL_KEYS, choose_credential
from azcert.config.options import OPTION_KEYS, realise
from azcert.config.reading.origin import Place, wrong
from azcert.config.reading.references import looks_like_reference
from azcert.config.reading.unknown_keys import refuse_unknown
from azcert.config.sections import Sections
from azcert.errors import AuthenticationError, AzcertError, ConfigurationError, TransportError
from azcert.vault.policy import CacheRules
from azcert.vault.refusal import explain
from azcert.vault.sync import SecretCachePolicy
from azcert.wire.loops import current_loop

if TYPE_CHECKING:
    from azure.core.pipeline import PipelineRequest

    from azcert.config.reading.origin import Entry
    from azcert.config.reading.references import KeyVaultReference
    from azcert.config.reading.settings import Settings

__all__ = ["ReferenceReader"]

_log = logging.getLogger("azcert.config")

_SECTION = "KeyVaultReferences"
# As many as settings name.
_CAPACITY = 1_000_000
_FOR_THREADS = CacheRules(stale=86400.0, capacity=_CAPACITY)
# On an event loop nobody waits for the network: a value past its time is answered, and asked for meanwhile.
_FOR_LOOPS = CacheRules(stale=math.inf, patience=0.0, capacity=_CAPACITY)
_TIMEOUTS = {"connection_timeout": 10, "read_timeout": 20}
_AT_ONCE = 8


class ReferenceReader:
    """Asks with clients for threads, whose answers are kept as `azcert.SecretCachePolicy` keeps them.

    :param settings: in which ``KeyVaultReferences``, else ``Default``, says who asks, with which options.
    :param asynchronous: readers are tasks of an event loop, which must not wait.
    """

    def __init__(self, settings: Settings, *, asynchronous: bool) -> None:
        self._settings = settings
        self._asynchronous = asynchronous
        self._lock = threading.Lock()
        self._clients: dict[str, Any] = {}
        self._credential: Any = None

    def read(self, reference: KeyVaultReference, entry: Entry, *, newest: bool = False) -> str:
        """Return the secret's value; blocks unless it is known.

        :param entry: the setting that refers to it, for messages.
        :param newest: only Key Vault's own answer will do.
        :raises azcert.errors.ConfigurationError: there is none, or this identity may not read it.
        :raises azcert.errors.AuthenticationError: this identity cannot sign in.
        :raises azcert.errors.TransportError: Key Vault did not answer.
        """
        headers = {"Cache-Control": "no-cache"} if newest else {}
        client = self._client(reference.vault_url)
        try:
            found = client.get_secret(reference.name, reference.version, headers=headers)
        except AzureError as error:
            raise _unreadable(entry, reference, error) from error
        return str(found.value or "")

    def read_all(self) -> None:
        """Read the secrets behind all references of the settings anew, several at once; blocks.

        :raises azcert.errors.AzcertError: one cannot be read; the message names all of them.
        """
        reading = self._settings.resolving(lambda reference, entry: self.read(reference, entry, newest=True))
        keys = {
            entry.text: entry.key
            for entry in reading
            if isinstance(entry.text, str)
            and looks_like_reference(entry.text)
            and (":" in entry.key or entry.origin.place is not Place.ENVIRONMENT)
        }
        if not keys:
            return
        from concurrent.futures import ThreadPoolExecutor  # few settings have references

        with ThreadPoolExecutor(_AT_ONCE, "azcert-references") as pool:
            asked = [pool.submit(reading.entry, key) for key in keys.values()]
        _raise_all([error for each in asked if (error := each.exception()) is not None])

    def close(self) -> None:
        """Close clients and credential."""
        with self._lock, ExitStack() as stack:
            if hasattr(self._credential, "close"):
                stack.callback(self._credential.close)
            for client in self._clients.values():
                stack.callback(client.close)
            self._clients, self._credential = {}, None

    def _client(self, vault_url: str) -> Any:
        from azure.keyvault.secrets import SecretClient  # slow to import

        with self._lock:
            if vault_url not in self._clients:
                # A reference in what reads references would lead here again.
                settings = self._settings.resolving(_circular)
                sections, mine = Sections(settings), settings.section(_SECTION)
                refuse_unknown(mine, (*CREDENTIAL_KEYS, *OPTION_KEYS, "Credential", "Options"))
                if self._credential is None:
                    spec = choose_credential(mine) or sections.credential()
                    self._credential = build_credential(spec, asynchronous=False)
                options = client_options(SecretClient, shape_of(SecretClient), mine, sections.defaults())
                self._clients[vault_url] = SecretClient(
                    vault_url,
                    self._credential,
                    per_call_policies=self._policies(),
                    **{**_TIMEOUTS, **realise(options)},
                )
            return self._clients[vault_url]

    def _policies(self) -> list[Any]:
        if self._asynchronous:
            return [SecretCachePolicy(_FOR_LOOPS), _LoopWatch()]
        return [SecretCachePolicy(_FOR_THREADS)]


class _LoopWatch(SansIOHTTPPolicy[Any, Any]):
    """Says once that a request keeps an event loop waiting; the cache before it lets only requests pass."""

    def __init__(self) -> None:
        super().__init__()
        self._said = False

    def on_request(self, request: PipelineRequest[Any]) -> None:
        with contextlib.suppress(RuntimeError):  # no loop runs in this thread
            current_loop()
            if not self._said:
                self._said = True
                _log.warning(
                    "A Key Vault reference is read while the event loop waits (%s). Read all of them before: "
                    "'async with AzureClients.from_settings() as clients', or 'await clients.ready()'.",
                    request.http_request.url.partition("?")[0],
                )


def _circular(reference: KeyVaultReference, entry: Entry) -> str:
    raise wrong(
        entry,
        f"is a Key Vault reference ({reference}) in the credential that reads Key Vault references",
        code="circular-reference",
        remedy=f"Give the section {_SECTION} a credential without one: a certificate, or a managed identity.",
    )


def _unreadable(entry: Entry, reference: KeyVaultReference, error: AzureError) -> AzcertError:
    name = f"{reference.name}/{reference.version}" if reference.version else reference.name
    why = explain(error, "read", reference.vault_url, name)
    if isinstance(why, AuthenticationError | TransportError):
        return type(why)(
            f"The setting {entry.key} ({entry.origin}) is a Key Vault reference. {why.message}",
            code=why.code,
            remedy=why.remedy,
            **{**why.details, "key": entry.key, "origin": str(entry.origin)},
        )
    found = f"is a Key Vault reference that cannot be read: {why.message.rstrip('.')}"
    return wrong(entry, found, code=why.code, remedy=why.remedy)


def _raise_all(errors: list[BaseException]) -> None:
    """Raise what happened as one error."""
    told = {str(error): error for error in errors}
    if len(told) == 1 or not all(isinstance(error, AzcertError) for error in errors):
        raise errors[0]
    if told:
        kind = TransportError if all(isinstance(each, TransportError) for each in errors) else None
        raise (kind or ConfigurationError)(
            "\n- ".join([f"{len(told)} settings cannot be read:", *told]), code="unreadable-references"
        )
