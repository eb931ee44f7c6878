"""What a TPM's answer code means, in azcert's errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tpm2_pytss.constants import TPM2_RC, TSS2_RC

from azcert.errors import AccessError, AzcertError, SigningError

if TYPE_CHECKING:
    from tpm2_pytss import TSS2_Exception

__all__ = ["explain", "is_auth_failure", "is_busy", "is_disconnected", "is_gone"]

_LAYER = 0xFFFF0000
_BUSY = {
    # The TPM asks for the command again (TPM 2.0 Library, Part 1, "Response Code Details").
    TPM2_RC.RETRY,
    TPM2_RC.YIELDED,
    TPM2_RC.TESTING,
    # Another user's objects or sessions fill the TPM; without a resource manager they pass.
    TPM2_RC.OBJECT_MEMORY,
    TPM2_RC.SESSION_MEMORY,
    TPM2_RC.OBJECT_HANDLES,
    TPM2_RC.MEMORY,
    TPM2_RC.NV_RATE,
}
_GONE = {TPM2_RC.HANDLE, TPM2_RC.REFERENCE_H0, TPM2_RC.INTEGRITY, TPM2_RC.VALUE}
_DISCONNECTED = {TSS2_RC.BASE_RC_IO_ERROR, TSS2_RC.BASE_RC_BAD_SEQUENCE, TSS2_RC.BASE_RC_NO_CONNECTION}


def is_busy(error: TSS2_Exception) -> bool:
    """Tell whether the same command may succeed a little later."""
    if error.rc & _LAYER:
        return bool(error.rc & ~_LAYER == TSS2_RC.BASE_RC_TRY_AGAIN)
    return error.error in _BUSY


def is_disconnected(error: TSS2_Exception) -> bool:
    """Tell whether the connection, not the TPM, is at fault."""
    return bool(error.rc & _LAYER) and error.rc & ~_LAYER in _DISCONNECTED


def is_gone(error: TSS2_Exception) -> bool:
    """Tell whether a saved context is no longer the TPM's: it was reset since."""
    return not error.rc & _LAYER and error.error in _GONE


def is_auth_failure(error: TSS2_Exception) -> bool:
    """Tell whether the password was refused."""
    return not error.rc & _LAYER and error.error in {TPM2_RC.AUTH_FAIL, TPM2_RC.BAD_AUTH}


def explain(error: TSS2_Exception, what: str, key: str) -> AzcertError:
    """Return azcert's error for *error*, which happened while doing *what* with *key*."""
    said = f"{error} (0x{error.rc:08X})"
    if is_auth_failure(error):
        return AccessError(
            f"Could not {what}: the TPM refused the password of {key}, {said}.",
            code="wrong-password",
            remedy="Correct the password; azcert will not try this one again in this process, so that the "
            "TPM is not locked.",
            key=key,
        )
    if not error.rc & _LAYER and error.error == TPM2_RC.LOCKOUT:
        return AccessError(
            f"Could not {what}: the TPM is locked after wrong passwords, {said}.",
            code="tpm-locked",
            remedy="Wait until it unlocks itself, or run tpm2_dictionarylockout --clear-lockout; "
            "`tpm2_getcap properties-variable` shows the counters.",
            key=key,
        )
    if is_disconnected(error):
        return SigningError(
            f"Could not {what}: the connection to the TPM broke, {said}.",
            code="tpm-disconnected",
            remedy="Test it with `tpm2_getrandom 4`.",
            key=key,
        )
    return SigningError(f"Could not {what} with {key}: the TPM answered {said}.", code="tpm-failed", key=key)
