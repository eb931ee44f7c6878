"""azure-core's retry policies, except that nothing is added twice because an answer went wrong."""

from __future__ import annotations

from typing import Any

from azure.core.pipeline.policies import AsyncRetryPolicy, RetryPolicy

__all__ = ["AsyncGraphRetryPolicy", "GraphRetryPolicy"]

_SERVER_FAULT = 500


class _AddsOnce:
    """A server's fault (5xx) does not tell whether ``addKey`` was done: only its caller can find out."""

    def is_retry(self, settings: dict[str, Any], response: Any) -> bool:
        """Tell whether the request may be sent again."""
        failed = response.http_response.status_code >= _SERVER_FAULT
        if failed and response.http_request.url.endswith("/addKey"):
            return False
        again: bool = super().is_retry(settings, response)  # type: ignore[misc]  # azure-core's
        return again


class GraphRetryPolicy(_AddsOnce, RetryPolicy[Any, Any]):
    """azure-core's `RetryPolicy`."""


class AsyncGraphRetryPolicy(_AddsOnce, AsyncRetryPolicy[Any, Any]):
    """azure-core's `AsyncRetryPolicy`."""
