"""azure-core's pipeline keywords, as a caller may give them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from azcert.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["KEYWORDS", "RETRY_KEYWORDS", "check_keywords"]

RETRY_KEYWORDS = frozenset(
    {
        "retry_backoff_factor",
        "retry_backoff_max",
        "retry_connect",
        "retry_mode",
        "retry_on_methods",
        "retry_on_status_codes",
        "retry_read",
        "retry_status",
        "retry_total",
        "timeout",
    }
)
"""azure-core's retry keywords. The pipeline itself never retries: whoever runs a flow decides that, once."""

KEYWORDS = RETRY_KEYWORDS | {
    # what to build the pipeline of
    "per_call_policies",
    "per_retry_policies",
    "policies",
    "transport",
    # transports
    "connection_cert",
    "connection_data_block_size",
    "connection_timeout",
    "connection_verify",
    "read_timeout",
    "session",
    "session_owner",
    "use_env_settings",
    # policies
    "auto_request_id",
    "headers",
    "http_logging_level",
    "logger",
    "logging_enable",
    "network_span_namer",
    "polling_interval",
    "proxies",
    "raw_request_hook",
    "raw_response_hook",
    "request_id",
    "response_encoding",
    "sdk_moniker",
    "tracing_attributes",
    "user_agent",
    "user_agent_overwrite",
    "user_agent_use_env",
}
"""azure-core's pipeline keywords that azcert passes on."""


def check_keywords(given: Mapping[str, Any], *, known: frozenset[str], what: str) -> None:
    """Refuse keywords that nobody would read.

    :param known: every keyword *what* has, those of the pipeline included.
    :raises ConfigurationError: a keyword is unknown; the message names the nearest known one.
    """
    for name in given:
        if name not in known:
            from difflib import get_close_matches  # only on the way to an error

            nearest = get_close_matches(name, sorted(known), n=1)
            raise ConfigurationError(
                f"{what} has no keyword {name!r}.",
                code="unknown-keyword",
                remedy=f"Did you mean {nearest[0]!r}?" if nearest else "Its documentation lists them.",
                keyword=name,
                nearest=nearest[0] if nearest else None,
            )
