"""One token: found by its RFC 7512 attributes, logged in once, its sessions shared by threads."""

from __future__ import annotations

import hashlib
import hmac
import os
import secrets
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields
from threading import Lock, RLock
from typing import TYPE_CHECKING, Any, TypeVar

import pkcs11
from pkcs11 import TokenFlag

from azcert.errors import AccessError, SelectionError
from azcert.keys.pkcs11.errors import explain, is_lost, is_uninitialised

if TYPE_CHECKING:
    from azcert._redact import Secret
    from azcert.keys.pkcs11.module import Module

__all__ = ["PIN_VARIABLE", "PinGiver", "Token", "TokenQuery", "TokenSession", "open_token"]

PIN_VARIABLE = "AZCERT_PKCS11_PIN"
"""Environment variable: the user PIN, where the URI has no ``pin-source``."""

PinGiver = Callable[[], "Secret | None"]
"""Gives the PIN when a login needs it, and only then; None where there is none."""

T = TypeVar("T")

# Seconds between looks for a token that is not there: a reader needs a moment after plugging in, and SoftHSM
# shows a token without its label while another process that logs in rewrites its file.
_PAUSES = (0.02, 0.05, 0.1, 0.2, 0.4)
_RETRIES = (0.05, 0.3)  # seconds before work is run again with everything opened anew
_KEPT_IDLE = 8  # sessions a token keeps open between signatures; tokens offer few


@dataclass(frozen=True)
class TokenQuery:
    """Which token: RFC 7512's path attributes about library, slot and token; None matches all."""

    token: str | None = None
    serial: str | None = None
    manufacturer: str | None = None
    model: str | None = None
    slot_id: int | None = None
    slot_description: str | None = None
    slot_manufacturer: str | None = None
    library_description: str | None = None
    library_manufacturer: str | None = None
    library_version: str | None = None

    def __str__(self) -> str:
        asked = [(field.name.replace("_", "-"), getattr(self, field.name)) for field in fields(self)]
        return ", ".join(f"{name}={value!r}" for name, value in asked if value is not None) or "any token"


class TokenSession:
    """A session with the objects found in it, so that a key is looked for once."""

    def __init__(self, session: pkcs11.Session) -> None:
        self.session = session
        self.found: dict[Any, pkcs11.PrivateKey] = {}

    def close(self) -> None:
        """Close it, also where the token has gone and the session with it."""
        with suppress(pkcs11.PKCS11Error):
            self.session.close()


class Token:
    """A token in use. One object per token and process, so that a login is shared and a refusal remembered.

    PKCS#11 logs in an application, not a session: while one session stays open, all others are logged in.
    """

    def __init__(self, module: Module, query: TokenQuery, found: pkcs11.Token) -> None:
        self.module = module
        self.label = found.label
        self.serial = found.serial.decode("utf-8", "replace")
        self._identity = (found.label, found.serial)
        self._query = query
        self._refused: set[bytes] = set()
        self._pin: Secret | None = None
        self._users = 0
        self.renew_after_fork()

    def __str__(self) -> str:
        return f"PKCS#11 token {self.label or self.serial!r}"

    def renew_after_fork(self) -> None:
        """Forget what belongs to the parent process: its sessions, its login and its locks."""
        # Reentrant: a signer may be closed by the garbage collector wherever this thread allocates.
        self._lock = RLock()
        self._idle: list[TokenSession] = []
        self._login: pkcs11.Session | None = None
        self._generation = 0
        self._active = 0

    def use(self, pin: PinGiver, work: Callable[[TokenSession], T], what: str, *, write: bool = False) -> T:
        """Run *work* in a session that is logged in, alone in that session.

        Where the token was reset, pulled or logged out since, everything is opened anew and *work* is run
        again, twice at most.

        :raises AzcertError: the token's refusal, explained; *what* says what was attempted.
        """
        for pause in (*_RETRIES, None):
            generation = self._generation
            try:
                with self.module.turn():
                    return self._use(pin, work, write=write)
            except pkcs11.PKCS11Error as error:
                if pause is None or not is_lost(error):
                    raise explain(error, what, str(self)) from error
                if is_uninitialised(error):
                    self.module.restart()
                if isinstance(error, pkcs11.UserPinNotInitialized):
                    _restart_if_unused(self.module)
                self._drop(generation)
                time.sleep(pause)
        raise AssertionError("unreachable: the last pass returns or raises")

    def _use(self, pin: PinGiver, work: Callable[[TokenSession], T], *, write: bool) -> T:
        with self._lock:
            self._active += 1
        try:
            return self._use_logged_in(pin, work, write=write)
        finally:
            with self._lock:
                self._active -= 1

    def _use_logged_in(self, pin: PinGiver, work: Callable[[TokenSession], T], *, write: bool) -> T:
        with self._lock:
            self._log_in(pin)
            session = self._idle.pop() if self._idle and not write else None
            generation = self._generation
        if session is None:
            session = TokenSession(self._find().open(rw=write))
        keep = False
        try:
            result = work(session)
            with self._lock:
                keep = not write and generation == self._generation and len(self._idle) < _KEPT_IDLE
                if keep:
                    self._idle.append(session)
        finally:
            # A session in which something failed may have an operation left open: it is not used again.
            if not keep:
                session.close()
        return result

    def _drop(self, generation: int) -> None:
        """Forget the sessions, unless another thread has already opened newer ones."""
        with self.module.turn(), self._lock:
            if generation != self._generation:
                return
            idle, self._idle, self._login = self._idle, [], None
            self._generation += 1
            for session in idle:
                session.close()

    def mechanisms(self) -> set[int]:
        """Return the mechanisms the token lists."""
        with self.module.turn():
            return {int(mechanism) for mechanism in self._find().slot.get_mechanisms()}

    def _log_in(self, pin: PinGiver) -> None:
        if self._login is not None:
            return
        token = self._find()
        if not token.flags & TokenFlag.LOGIN_REQUIRED:
            self._login = token.open()
            return
        self._login = self._open_logged_in(token, pin)

    def _open_logged_in(self, token: pkcs11.Token, pin: PinGiver) -> pkcs11.Session:
        if token.flags & TokenFlag.USER_PIN_LOCKED:
            raise explain(pkcs11.PinLocked(), "log in", str(self))
        if token.flags & TokenFlag.PROTECTED_AUTHENTICATION_PATH:
            return self._attempt(lambda: token.open(user_pin=pkcs11.PROTECTED_AUTH), token)
        secret = self._unrefused(pin())
        if token.flags & TokenFlag.USER_PIN_FINAL_TRY:
            raise AccessError(
                f"{self} has one try left before it locks the PIN, so azcert does not try.",
                code="pin-final-try",
                remedy="Log in once with a tool of your choice (pkcs11-tool --login --list-objects): a right "
                "PIN resets the count.",
                token=str(self),
            )
        try:
            session = self._attempt(lambda: token.open(user_pin=secret.reveal()), token)
        except _PIN_REFUSED:
            self._refused.add(_mark(secret))
            raise
        self._pin = secret
        return session

    def confirm(self, pin: PinGiver, sign: Callable[[str], T]) -> T:
        """Call *sign* with the PIN that an always-authenticate key wants before each signature."""
        secret = self._unrefused(self._pin or pin())
        try:
            return sign(secret.reveal())
        except _PIN_REFUSED:
            self._refused.add(_mark(secret))
            raise

    def _unrefused(self, secret: Secret | None) -> Secret:
        if secret is None:
            raise explain(pkcs11.UserNotLoggedIn(), "log in", str(self))
        if _mark(secret) in self._refused:
            raise AccessError(
                f"{self} refused this PIN before; it was not tried again.",
                code="wrong-pin",
                remedy="Correct the PIN; each wrong try brings the token closer to being locked.",
                token=str(self),
            )
        return secret

    @staticmethod
    def _attempt(login: Callable[[], pkcs11.Session], token: pkcs11.Token) -> pkcs11.Session:
        try:
            return login()
        except pkcs11.UserAlreadyLoggedIn:
            # Another part of the process logged in: the login is the application's, so ours too.
            return token.open()

    def _find(self) -> pkcs11.Token:
        """Return the token where it is now: it may have come back in another slot."""
        for pause in (*_PAUSES, None):
            for token in _tokens(self.module):
                same = (token.label, token.serial) == self._identity
                if same and self._query.slot_id in {None, token.slot.slot_id}:
                    return token
            if pause is not None:
                time.sleep(pause)
        raise pkcs11.TokenNotPresent

    @property
    def in_use(self) -> bool:
        """Tell whether a signer or an operation uses it."""
        return self._users + self._active > 0

    def acquire(self) -> None:
        """Count one more user; each one calls `release`."""
        with self._lock:
            self._users += 1

    def release(self) -> None:
        """Log out and close the sessions when the last user has gone and nothing is under way.

        A logout is the whole process's (PKCS#11 2.40, 5.6): an operation under way would not be refused, it
        would simply see no private keys any more.
        """
        with self.module.turn(), self._lock:
            self._users -= 1
            if self.in_use:
                return
            sessions = [*self._idle, *([TokenSession(self._login)] if self._login else [])]
            self._idle, self._login, self._pin = [], None, None
            self._generation += 1
            for session in sessions:
                session.close()


_PIN_REFUSED = (pkcs11.PinIncorrect, pkcs11.PinInvalid, pkcs11.PinLenRange, pkcs11.PinLocked)
_MARK_KEY = secrets.token_bytes(32)


def _mark(pin: Secret) -> bytes:
    """Return what a refused PIN is remembered by: nothing it could be guessed from elsewhere."""
    return hmac.digest(_MARK_KEY, pin.reveal_bytes(), hashlib.sha256)


_open: dict[tuple[Any, ...], Token] = {}
_opening = Lock()


def _after_fork() -> None:
    global _opening  # noqa: PLW0603 - a lock held by another thread at the fork would never be released
    _opening = Lock()
    for token in _open.values():
        token.renew_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def open_token(module: Module, query: TokenQuery) -> Token:
    """Return the one token that *query* describes.

    :raises SelectionError: none (``not-found``) or several (``ambiguous``) match; the message lists them.
    """
    for pause in (*_PAUSES, None):
        with module.turn():
            try:
                present = _tokens(module)
            except pkcs11.PKCS11Error as error:
                raise explain(error, "list the tokens", str(module.path)) from error
        matching = [token for token in present if _matches(module, query, token)]
        if matching or pause is None:
            break
        _restart_if_unused(module)
        time.sleep(pause)
    names = ", ".join(sorted(f"{token.label!r} (serial {token.serial.decode()})" for token in present))
    if not matching:
        raise SelectionError(
            f"No PKCS#11 token matches {query}; the module {module.path} shows {names or 'none'}.",
            code="not-found",
            remedy="Plug the token in, or correct token= and serial= in the URI.",
            module=str(module.path),
        )
    if len(matching) > 1:
        raise SelectionError(
            f"{len(matching)} PKCS#11 tokens match {query}: {names}.",
            code="ambiguous",
            remedy="Add token= or serial= to the URI.",
            module=str(module.path),
        )
    found = matching[0]
    key = (module.path, found.label, found.serial, query.slot_id)
    with _opening:
        return _open.setdefault(key, Token(module, query, found))


def _restart_if_unused(module: Module) -> None:
    """Let the module look for its tokens anew: some do so only when they start. No signer is disturbed."""
    if not any(token.module is module and token.in_use for token in list(_open.values())):
        module.restart()


def _tokens(module: Module) -> list[pkcs11.Token]:
    tokens = []
    for slot in module.slots():
        try:
            token = slot.get_token()
        except (
            pkcs11.TokenNotPresent,
            pkcs11.TokenNotRecognised,
            pkcs11.DeviceRemoved,
            pkcs11.GeneralError,
        ):
            continue
        # An uninitialised token has no label, no PIN and no objects.
        if token.flags & TokenFlag.TOKEN_INITIALIZED:
            tokens.append(token)
    return tokens


def _matches(module: Module, query: TokenQuery, token: pkcs11.Token) -> bool:
    manufacturer, description, version = module.facts()
    found = {
        "token": token.label,
        "serial": token.serial.decode("utf-8", "replace"),
        "manufacturer": token.manufacturer_id,
        "model": token.model,
        "slot_id": token.slot.slot_id,
        "slot_description": token.slot.slot_description,
        "slot_manufacturer": token.slot.manufacturer_id,
        "library_description": description,
        "library_manufacturer": manufacturer,
        "library_version": f"{version[0]}.{version[1]}",
    }
    asked = {field.name: getattr(query, field.name) for field in fields(query)}
    return all(value is None or value == found[name] for name, value in asked.items())
