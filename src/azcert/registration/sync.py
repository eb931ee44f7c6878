"""App registrations, with threads: each method runs one flow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

from azcert.registration.applications import SETTLE, Applications
from azcert.registration.graph import DEFAULT_AUTHORITY, RETRIES, Graph, graph_host
from azcert.wire.sync import Channel

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import TracebackType
    from typing import Self

    from azure.core.credentials import TokenCredential

    from azcert.certificate.model import Certificate
    from azcert.registration.model import Application, Created, KeyCredential
    from azcert.wire.message import Flow

T = TypeVar("T")

__all__ = ["Registrations"]


class Registrations:
    """The app registrations that an identity may see and change.

    :param credential: signs in to Microsoft Graph: a developer's, or an application's certificate.
    :keyword authority: host of the authority, which tells the cloud; the public one by default.
    :keyword settle: seconds after a change until it is read again, for another who changed it meanwhile.
    :keyword options: azure-core's pipeline keywords.
    """

    def __init__(
        self,
        credential: TokenCredential,
        *,
        authority: str = DEFAULT_AUTHORITY,
        settle: float = SETTLE,
        **options: Any,
    ) -> None:
        # Late: azure-core is slow to import.
        from azure.core.pipeline.policies import BearerTokenCredentialPolicy

        from azcert.registration.retry import GraphRetryPolicy

        graph = self.graph = Graph(graph_host(authority))
        self._flows = Applications(graph, settle=settle)
        signed = [
            GraphRetryPolicy(**{**RETRIES, **options}),
            BearerTokenCredentialPolicy(credential, graph.scope),
        ]
        self._channel = Channel(
            {**options, "per_call_policies": [*options.get("per_call_policies", ()), *signed]}
        )

    def find(self, name: str) -> Application:
        """Find an application by client id, object id or unique display name."""
        return self._channel.run(self._flows.find(name))

    def get(self, object_id: str) -> Application:
        """Read the application with that object id."""
        return self._channel.run(self._flows.get(object_id))

    def list(self, *, condition: str | None = None) -> Iterator[Application]:
        """Yield the applications page by page, all or those an OData *condition* picks.

        Memory holds one page. Graph leaves the certificates' bytes out of lists.
        """
        url: str | None = self._flows.first_page(condition)
        while url:
            page, url = self._channel.run(self._flows.page(url))
            yield from page

    def create(self, display_name: str, certificate: Certificate | None = None) -> Created:
        """Make an application and its service principal."""
        return self._channel.run(self._flows.create(display_name, certificate))

    def principal_id(self, app_id: str) -> str:
        """Return the object id of the service principal of the application with that client id."""
        return self._channel.run(self._flows.principal_id(app_id))

    def add_certificate(self, object_id: str, certificate: Certificate) -> KeyCredential:
        """Put a certificate on the application beside all it has; one already there stays as it is."""
        return self._channel.run(self._flows.add_certificate(object_id, certificate))

    def remove_certificate(self, object_id: str, key_id: str) -> Application:
        """Take a certificate off the application; return what is left."""
        return self._channel.run(self._flows.remove_certificate(object_id, key_id))

    def add_key(self, object_id: str, certificate: Certificate, proof: str) -> KeyCredential:
        """Let the application add a certificate to itself (see `azcert.registration.proof`)."""
        return self._channel.run(self._flows.add_key(object_id, certificate, proof))

    def remove_key(self, object_id: str, key_id: str, proof: str) -> None:
        """Let the application remove one of its own certificates."""
        self._channel.run(self._flows.remove_key(object_id, key_id, proof))

    def remove_password(self, object_id: str, key_id: str) -> None:
        """Remove a client secret."""
        self._channel.run(self._flows.remove_password(object_id, key_id))

    def run(self, flow: Flow[T]) -> T:
        """Run another flow on this deployment of Graph, as this identity."""
        return self._channel.run(flow)

    def close(self) -> None:
        """Close the connections."""
        self._channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        exc_type: type[BaseException] | None = None,
        exc_value: BaseException | None = None,
        traceback: TracebackType | None = None,
    ) -> None:
        self.close()
