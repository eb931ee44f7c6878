"""What the environment variables say about the default chain: decided over a mapping, no I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from azcert._redact import Secret
from azcert._values import parse_boolean
from azcert.errors import ConfigurationError
from azcert.wire.keywords import KEYWORDS, check_keywords

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = [
    "DefaultPlan",
    "EnvironmentCertificate",
    "certificate_from",
    "identity_chain",
    "missing_variables",
    "plan_default",
]

_TENANT, _CLIENT = "AZURE_TENANT_ID", "AZURE_CLIENT_ID"
_SECRET = "AZURE_CLIENT_SECRET"  # noqa: S105 - a variable's name
_CERTIFICATE = "AZURE_CLIENT_CERTIFICATE_PATH"
_PASSWORD = "AZURE_CLIENT_CERTIFICATE_PASSWORD"  # noqa: S105
_CHAIN = "AZURE_CLIENT_SEND_CERTIFICATE_CHAIN"
_SELECTION = "AZURE_TOKEN_CREDENTIALS"
_ENVIRONMENT_SELECTED = frozenset({"", "prod", "environmentcredential"})

_EXCLUSIONS = frozenset(
    f"exclude_{name}_credential"
    for name in (
        "broker",
        "cli",
        "developer_cli",
        "environment",
        "interactive_browser",
        "managed_identity",
        "powershell",
        "shared_token_cache",
        "visual_studio_code",
        "workload_identity",
    )
)
_SHARED = frozenset(
    {
        "additionally_allowed_tenants",
        "authority",
        "cache_persistence_options",
        "disable_instance_discovery",
    }
)
_DEFAULT_KEYWORDS = (
    KEYWORDS
    | _EXCLUSIONS
    | _SHARED
    | {
        "broker_client_id",
        "broker_tenant_id",
        "identity_config",
        "interactive_browser_client_id",
        "interactive_browser_tenant_id",
        "managed_identity_client_id",
        "process_timeout",
        "require_envvar",
        "shared_cache_tenant_id",
        "shared_cache_username",
        "user_agent_policy",
        "http_logging_policy",
        "visual_studio_code_tenant_id",
        "workload_identity_client_id",
        "workload_identity_tenant_id",
    }
)


@dataclass(frozen=True)
class EnvironmentCertificate:
    """The application and the certificate that the environment names, as `CertificateCredential`'s keywords.

    :param certificate: any source of azcert: a path, ``store:...``, ``pkcs11:...``
    """

    tenant_id: str
    client_id: str
    certificate: str
    password: Secret | None
    send_certificate_chain: bool


@dataclass(frozen=True)
class DefaultPlan:
    """What a default chain consists of.

    :param certificate: azcert's link, None where there is no certificate or it is excluded.
    :param own_options: that link's keywords.
    :param chain_options: keywords of azure-identity's chain, None where nothing is left of it.
    """

    certificate: EnvironmentCertificate | None
    own_options: Mapping[str, Any]
    chain_options: Mapping[str, Any] | None


def certificate_from(environ: Mapping[str, str]) -> EnvironmentCertificate | None:
    """Return the certificate that the environment names, None if it names none.

    A secret beside it wins, as in azure-identity; an empty variable counts as not set.

    :raises ConfigurationError: AZURE_CLIENT_SEND_CERTIFICATE_CHAIN is neither true nor false.
    """
    if environ.get(_SECRET) or not all(environ.get(name) for name in (_TENANT, _CLIENT, _CERTIFICATE)):
        return None
    chain = environ.get(_CHAIN, "")
    send = parse_boolean(chain) if chain.strip() else False
    if send is None:
        raise ConfigurationError(
            f"The environment variable {_CHAIN} is {chain!r}, neither true nor false.",
            code="not-a-boolean",
            remedy="Set it to true or false, or unset it.",
            variable=_CHAIN,
        )
    password = environ.get(_PASSWORD)
    return EnvironmentCertificate(
        environ[_TENANT],
        environ[_CLIENT],
        environ[_CERTIFICATE],
        Secret(password) if password else None,
        send,
    )


def missing_variables(environ: Mapping[str, str]) -> list[str]:
    """Return the variables that the environment's certificate or secret still lacks."""
    missing = [name for name in (_TENANT, _CLIENT) if not environ.get(name)]
    if not environ.get(_CERTIFICATE) and not environ.get(_SECRET):
        missing.append(f"{_CERTIFICATE} or {_SECRET}")
    return missing


def identity_chain(cls: Callable[..., Any], options: Mapping[str, Any]) -> Any:
    """Return azure-identity's chain: *cls*, made with *options*.

    :raises ConfigurationError: AZURE_TOKEN_CREDENTIALS names no credential, or all are excluded.
    """
    try:
        return cls(**options)
    except ValueError as error:
        nothing_left = "at least one credential" in str(error)
        raise ConfigurationError(
            "Every credential of the default chain is excluded." if nothing_left else str(error),
            code="wrong-selection",
            remedy="Leave one of them in." if nothing_left else f"Correct {_SELECTION}.",
            variable=_SELECTION,
        ) from error


def plan_default(options: Mapping[str, Any], environ: Mapping[str, str]) -> DefaultPlan:
    """Return what the default chain consists of for these keywords and variables.

    :raises ConfigurationError: a keyword is unknown, or a variable has no sense.
    """
    check_keywords(dict(options), known=_DEFAULT_KEYWORDS, what="DefaultCredential")
    selected = environ.get(_SELECTION, "").strip().lower()
    excluded = options.get("exclude_environment_credential")
    included = selected in _ENVIRONMENT_SELECTED if excluded is None else not excluded
    certificate = certificate_from(environ) if included else None
    if certificate is None:
        return DefaultPlan(None, {}, dict(options))
    own = {name: value for name, value in options.items() if name in KEYWORDS | _SHARED}
    wanted = any(options.get(name) is False for name in _EXCLUSIONS - {"exclude_environment_credential"})
    if selected == "environmentcredential" and not wanted:
        return DefaultPlan(certificate, own, None)
    return DefaultPlan(certificate, own, {**options, "exclude_environment_credential": True})
