"""The request by which a value that is kept is asked for again."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from azure.core.pipeline import PipelineContext, PipelineRequest
from azure.core.pipeline.policies import AsyncRetryPolicy, RetryPolicy

__all__ = ["copy_of"]


def copy_of(request: PipelineRequest[Any], policies: Any, *, retried: bool) -> PipelineRequest[Any]:
    """Return a request like that of a reader, who may be gone before it is answered.

    Retries and hooks consume the options of their own request.

    :param policies: the first of those that it will be sent through.
    :param retried: by the client's own rules; otherwise the first failure counts, and the cache pauses where
        the client would sleep for as long as ``Retry-After`` says.
    """
    options = dict(request.context.options)
    if not retried and _has_retries(policies):
        options["retry_total"] = 0  # azure-core's keyword for one operation
    return PipelineRequest(
        deepcopy(request.http_request), PipelineContext(request.context.transport, **options)
    )


def _has_retries(policy: Any) -> bool:
    while policy is not None:
        if isinstance(policy, RetryPolicy | AsyncRetryPolicy):
            return True
        policy = getattr(policy, "next", None)
    return False
