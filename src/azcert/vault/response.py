"""A kept answer as azure-core's response object, made anew for each reader."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from azure.core.exceptions import HttpResponseError
from azure.core.rest import AsyncHttpResponse, HttpResponse
from azure.core.utils import CaseInsensitiveDict

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, MutableMapping
    from types import TracebackType
    from typing import Self

    from azure.core.rest import HttpRequest

    from azcert.vault.table import Answer

__all__ = ["AsyncKeptResponse", "KeptResponse"]


class _Kept:
    """What both kinds of responses have."""

    def __init__(self, request: HttpRequest, answer: Answer) -> None:
        self._request = request
        self._answer = answer
        self._encoding: str | None = None

    @property
    def request(self) -> HttpRequest:
        """The reader's own request."""
        return self._request

    @property
    def status_code(self) -> int:
        """The status that Key Vault gave."""
        return self._answer.status

    @property
    def headers(self) -> MutableMapping[str, str]:
        """A copy of Key Vault's headers."""
        return CaseInsensitiveDict(self._answer.headers)

    @property
    def reason(self) -> str:
        """The status in words."""
        return self._answer.reason or ""

    @property
    def content_type(self) -> str | None:
        """The body's type."""
        return self.headers.get("content-type")

    @property
    def url(self) -> str:
        """The address that was asked for."""
        return self._request.url

    @property
    def is_closed(self) -> bool:
        """True: nothing is open."""
        return True

    @property
    def is_stream_consumed(self) -> bool:
        """True: the body is in memory."""
        return True

    @property
    def encoding(self) -> str | None:
        """The body's encoding, UTF-8 unless set."""
        return self._encoding or "utf-8"

    @encoding.setter
    def encoding(self, value: str | None) -> None:
        self._encoding = value

    @property
    def content(self) -> bytes:
        """The body."""
        return self._answer.body

    def text(self, encoding: str | None = None) -> str:
        """Return the body as text."""
        return self._answer.body.decode(encoding or self.encoding or "utf-8")

    def json(self) -> Any:
        """Return the body as JSON."""
        return json.loads(self._answer.body)

    def __repr__(self) -> str:
        return f"<{type(self).__name__}: {self._answer.status}>"


class KeptResponse(_Kept, HttpResponse):
    """A kept answer, for threads."""

    def raise_for_status(self) -> None:
        """Raise HttpResponseError for a status of 400 or more; none such is kept."""
        if self.status_code >= 400:  # noqa: PLR2004 - HTTP's boundary of errors
            raise HttpResponseError(response=self)

    def read(self) -> bytes:
        """Return the body."""
        return self.content

    def iter_raw(self, **_: Any) -> Iterator[bytes]:
        """Return the body in one piece."""
        return iter([self.content])

    def iter_bytes(self, **_: Any) -> Iterator[bytes]:
        """Return the body in one piece."""
        return iter([self.content])

    def close(self) -> None:
        """Nothing is open."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self.close()


class AsyncKeptResponse(_Kept, AsyncHttpResponse):
    """A kept answer, awaited."""

    def raise_for_status(self) -> None:
        """Raise HttpResponseError for a status of 400 or more; none such is kept."""
        if self.status_code >= 400:  # noqa: PLR2004 - HTTP's boundary of errors
            raise HttpResponseError(response=self)

    async def read(self) -> bytes:
        """Return the body."""
        return self.content

    async def iter_raw(self, **_: Any) -> AsyncIterator[bytes]:
        """Return the body in one piece."""
        yield self.content

    async def iter_bytes(self, **_: Any) -> AsyncIterator[bytes]:
        """Return the body in one piece."""
        yield self.content

    async def close(self) -> None:
        """Nothing is open."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        await self.close()
