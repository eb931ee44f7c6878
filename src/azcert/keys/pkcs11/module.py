"""Find and load the library that speaks for a token: a PKCS#11 module."""

from __future__ import annotations

import os
from contextlib import nullcontext, suppress
from pathlib import Path
from threading import Lock, RLock
from typing import TYPE_CHECKING, Any

from azcert.errors import ConfigurationError, SigningError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from contextlib import AbstractContextManager

    from pkcs11 import Slot

__all__ = ["MODULE_VARIABLE", "Module", "find_module", "load_module"]

MODULE_VARIABLE = "AZCERT_PKCS11_MODULE"
"""Environment variable: path of the PKCS#11 module for URIs that name none."""

_PROXY = "p11-kit-proxy.so"
_PROXY_DESCRIPTION = "PKCS#11 Kit Proxy Module"
_LIBRARY_FOLDERS = ("/usr/lib64", "/usr/lib", "/usr/local/lib", "/opt/homebrew/lib")
_MODULE_FOLDERS = ("pkcs11", "softhsm", "")
_REGISTRATIONS = ("/etc/pkcs11/modules", "/usr/share/p11-kit/modules")


class Module:
    """One loaded module, shared by everything in the process that uses it."""

    def __init__(self, path: Path, library: Any, *, first: bool) -> None:
        self.path = path
        self._library = library
        # p11-kit's proxy initialises the modules behind it for threads (CKF_OS_LOCKING_OK). Other modules are
        # initialised by python-pkcs11 with C_Initialize(NULL), which promises them one caller at a time
        # (PKCS#11 2.40, 5.4): SoftHSM, for one, then drops its locks and corrupts its heap under threads.
        # A module loaded directly may be met again behind the proxy: hence *first*, and one lock for all.
        self._for_threads = first and library.library_description == _PROXY_DESCRIPTION
        self._stale = False
        self._starting = Lock()

    def turn(self) -> AbstractContextManager[object]:
        """Enter before calling into the module: alone, unless the module was initialised for threads."""
        self._initialise_if_stale()
        return nullcontext() if self._for_threads else _alone

    def slots(self) -> list[Slot]:
        """Return the slots that hold a token now."""
        slots: list[Slot] = self._library.get_slots(token_present=True)
        return slots

    def facts(self) -> tuple[str, str, tuple[int, int]]:
        """Return manufacturer, description and version of the library (RFC 7512's ``library-*``)."""
        return (
            self._library.manufacturer_id,
            self._library.library_description,
            self._library.library_version,
        )

    def renew_after_fork(self) -> None:
        """Forget what a child process does not share with its parent: the library must be initialised."""
        self._starting = Lock()
        self._stale = True

    def restart(self) -> None:
        """Initialise the library again before its next use: it says it is not initialised."""
        self._stale = True

    def _initialise_if_stale(self) -> None:
        if not self._stale:
            return
        from pkcs11 import PKCS11Error  # the extra is imported where it is used

        with self._starting:
            if not self._stale:
                return
            # A child calls C_Initialize first of all (PKCS#11 2.40, 5.4); some modules believe that they
            # still are initialised and want C_Finalize before, others refuse it: both are fine.
            with suppress(PKCS11Error):
                self._library.finalize()
            try:
                self._library.initialize()
            except PKCS11Error as error:
                if _already_initialised(error):
                    self._stale = False
                    return
                raise SigningError(
                    f"The PKCS#11 module {self.path} could not be initialised: {error}",
                    code="module-failed",
                    module=str(self.path),
                ) from error
            self._stale = False


_modules: dict[Path, Module] = {}
_loading = Lock()
_alone = RLock()


def _already_initialised(error: Exception) -> bool:
    """Tell CKR_CRYPTOKI_ALREADY_INITIALIZED, for which python-pkcs11 has a text but no class."""
    return "(already initialized)" in str(error)


def load_module(path: Path) -> Module:
    """Load the module once for the whole process.

    :raises ConfigurationError: it is missing, is not a PKCS#11 module, or the extra is not installed.
    """
    try:
        import pkcs11  # the extra is imported where it is used
    except ImportError as error:
        raise ConfigurationError(
            "PKCS#11 tokens need the package python-pkcs11, which is not installed.",
            code="extra-missing",
            remedy="Install it: pip install 'azcert[pkcs11]'",
        ) from error
    with _loading:
        if path not in _modules:
            try:
                library = pkcs11.lib(str(path))
            except pkcs11.PKCS11Error as error:
                if _already_initialised(error):
                    raise ConfigurationError(
                        f"Another part of this process already uses the PKCS#11 module {path}.",
                        code="module-in-use",
                        remedy="Leave out module-path and module-name, so that p11-kit's proxy shares it.",
                        module=str(path),
                    ) from error
                raise ConfigurationError(
                    f"{path} could not be loaded as a PKCS#11 module: {error}",
                    code="module-not-loaded",
                    remedy="Name the token's own module by module-path= in the URI, or in the environment "
                    f"variable {MODULE_VARIABLE}.",
                    module=str(path),
                ) from error
            _modules[path] = Module(path, library, first=not _modules)
        return _modules[path]


def _after_fork() -> None:
    # A lock that another thread held at the fork would never be released.
    global _loading, _alone
    _loading, _alone = Lock(), RLock()
    for module in _modules.values():
        module.renew_after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)


def find_module(
    path: str | None = None, name: str | None = None, *, environment: Mapping[str, str] | None = None
) -> Path:
    """Return the module to load: named by *path*, by *name*, by the environment, else p11-kit's proxy.

    :param path: RFC 7512's ``module-path``: a file, or a folder in which *name* is looked for.
    :param name: RFC 7512's ``module-name``: without path and suffix, ``lib`` in front left out or not
        (``softhsm2``, ``opensc-pkcs11``); p11-kit's registrations are asked first.
    :param environment: the process's environment unless given.
    :raises ConfigurationError: there is none; the message says where was looked.
    """
    given = Path(path) if path else None
    if given and not given.is_dir():
        return _existing(given, "module-path of the URI")
    if name:
        return _by_name(name, [given] if given else None)
    if given:
        return _existing(given / _PROXY, "module-path of the URI, a folder without module-name")
    variable = (os.environ if environment is None else environment).get(MODULE_VARIABLE)
    if variable:
        return _existing(Path(variable), f"environment variable {MODULE_VARIABLE}")
    proxy = next((folder / _PROXY for folder in _folders() if (folder / _PROXY).is_file()), None)
    if proxy is None:
        raise ConfigurationError(
            "No PKCS#11 module is named, and p11-kit's proxy, which knows the installed ones, is not there.",
            code="module-not-found",
            remedy=f"Add module-path=/path/of/module.so to the URI, set {MODULE_VARIABLE}, or install "
            "p11-kit (Debian: apt-get install p11-kit p11-kit-modules).",
        )
    return proxy


def _existing(path: Path, origin: str) -> Path:
    if not path.is_file():
        raise ConfigurationError(
            f"The PKCS#11 module {path} ({origin}) does not exist.",
            code="module-not-found",
            remedy="Install the token's driver, or correct the path; `p11-kit list-modules` shows what is "
            "registered.",
            module=str(path),
        )
    return path


def _by_name(name: str, folders: list[Path] | None) -> Path:
    for registration in () if folders else _REGISTRATIONS:
        file = Path(registration, f"{name}.module")
        module = _registered(file) if file.is_file() else None
        if module is not None:
            return module
    for folder in folders or _folders():
        for prefix in ("", "lib"):
            candidate = folder / f"{prefix}{name}.so"
            if candidate.is_file():
                return candidate
    raise ConfigurationError(
        f"No PKCS#11 module named {name!r} was found among p11-kit's registrations and library folders.",
        code="module-not-found",
        remedy="Name its file by module-path= instead, or see `p11-kit list-modules`.",
        module=name,
    )


def _registered(file: Path) -> Path | None:
    """Return the module that a registration of p11-kit names (pkcs11.conf(5): ``module: PATH``)."""
    for line in file.read_text(errors="replace").splitlines():
        key, _, value = line.partition(":")
        if key.strip() == "module":
            named = Path(value.strip())
            if named.is_absolute():
                return named if named.is_file() else None
            return next((folder / named for folder in _folders() if (folder / named).is_file()), None)
    return None


def _folders() -> list[Path]:
    """Return the folders where modules lie, Debian's multi-arch folders included."""
    roots = [Path(root) for root in _LIBRARY_FOLDERS]
    roots += sorted(Path("/usr/lib").glob("*-linux-gnu*"))
    return [root / sub for sub in _MODULE_FOLDERS for root in roots if (root / sub).is_dir()]
