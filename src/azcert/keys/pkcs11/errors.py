"""What a token's refusal means, in azcert's errors."""

from __future__ import annotations

import pkcs11

from azcert.errors import AccessError, AzcertError, SigningError

__all__ = ["explain", "is_lost", "is_uninitialised"]

_LOST: tuple[type[Exception], ...] = (
    # The connection, not the request, is at fault: everything behind it is found anew, once.
    pkcs11.DeviceRemoved,
    pkcs11.DeviceError,
    pkcs11.GeneralError,
    pkcs11.ObjectHandleInvalid,
    pkcs11.KeyHandleInvalid,
    pkcs11.SessionClosed,
    pkcs11.SessionHandleInvalid,
    pkcs11.SlotIDInvalid,
    pkcs11.TokenNotPresent,
    pkcs11.TokenNotRecognised,
    pkcs11.UserNotLoggedIn,
    # SoftHSM says so for a moment while another process that logs in rewrites the token's file.
    pkcs11.UserPinNotInitialized,
)

_PIN_REMEDY = "azcert will not try this PIN again in this process, so that the token is not locked."


def is_uninitialised(error: Exception) -> bool:
    """Tell CKR_CRYPTOKI_NOT_INITIALIZED, for which python-pkcs11 has a text but no class."""
    return type(error) is pkcs11.PKCS11Error and "(not initialized)" in str(error)


def is_lost(error: Exception) -> bool:
    """Tell whether the token was reset, pulled or logged out behind our back."""
    return isinstance(error, _LOST) or is_uninitialised(error)


def explain(error: pkcs11.PKCS11Error, what: str, token: str) -> AzcertError:
    """Return azcert's error for *error*, which happened while doing *what* (``"sign with key 'app'"``)."""
    said = f"{type(error).__name__}{f': {error}' if str(error) else ''}"
    if isinstance(error, pkcs11.PinIncorrect | pkcs11.PinInvalid | pkcs11.PinLenRange):
        return AccessError(
            f"{token} refused the PIN ({said}).",
            code="wrong-pin",
            remedy=f"Correct the PIN. {_PIN_REMEDY}",
            token=token,
        )
    if isinstance(error, pkcs11.PinLocked):
        return AccessError(
            f"The PIN of {token} is locked ({said}).",
            code="pin-locked",
            remedy="Unlock it with the security officer's PIN (pkcs11-tool --init-pin), then start again.",
            token=token,
        )
    if isinstance(error, pkcs11.PinExpired | pkcs11.UserPinNotInitialized):
        return AccessError(
            f"The PIN of {token} cannot be used yet or any more ({said}).",
            code="pin-unusable",
            remedy="Set a new PIN with the token's own tool (pkcs11-tool --change-pin).",
            token=token,
        )
    if isinstance(error, pkcs11.TokenNotPresent | pkcs11.DeviceRemoved | pkcs11.SlotIDInvalid):
        return SigningError(
            f"Could not {what}: {token} is not there ({said}).",
            code="token-not-present",
            remedy="Plug it in, or see `pkcs11-tool --list-token-slots`.",
            token=token,
        )
    if isinstance(error, pkcs11.UserNotLoggedIn):
        return AccessError(
            f"Could not {what}: {token} wants a PIN first.",
            code="pin-missing",
            remedy="Give it by pin-source=file:/path in the URI or in AZCERT_PKCS11_PIN.",
            token=token,
        )
    if isinstance(error, pkcs11.SessionReadOnly | pkcs11.TokenWriteProtected):
        return AccessError(
            f"Could not {what}: {token} is write-protected ({said}).", code="write-protected", token=token
        )
    return SigningError(f"Could not {what}: {token} answered {said}.", code="token-failed", token=token)
