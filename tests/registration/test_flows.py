"""The flows without any I/O: what is asked, and what is made of the answers."""

from __future__ import annotations

import json
from typing import Any

import pytest

from azcert.certificate.model import Certificate
from azcert.errors import RegistrationError
from azcert.registration.applications import Applications
from azcert.registration.graph import Graph, graph_host
from azcert.wire.message import Pause, Request, Response
from support.emulated import certificate, key_credential, rsa_key

OURS = Certificate(certificate(rsa_key(1), name="ours"))
THEIRS = Certificate(certificate(rsa_key(2), name="theirs"))
MANY = [Certificate(certificate(rsa_key(3), name=f"other-{number}")) for number in range(20)]


class Directory:
    """One application's certificates; *others* are written by somebody else just after each of our writes."""

    def __init__(self, others: list[list[dict[str, Any]]]) -> None:
        self.keys: list[dict[str, Any]] = [key_credential(THEIRS.leaf)]
        self._others = others
        self.asked: list[str] = []

    def run(self, flow: Any) -> Any:
        """Answer the flow; a pause passes at once."""
        try:
            step = next(flow)
            while True:
                step = flow.send(None if isinstance(step, Pause) else self._answer(step))
        except StopIteration as end:
            return end.value

    def _answer(self, request: Request) -> Response:
        self.asked.append(request.method)
        if request.method == "PATCH":
            assert request.body is not None
            self.keys = json.loads(request.body)["keyCredentials"]
            for key in self.keys:
                key.setdefault("customKeyIdentifier", OURS.thumbprint)
            if self._others:
                self.keys = self._others.pop(0)
            return Response(204, {}, b"")
        assert "keyCredentials" in request.url, "the bytes come only when they are asked for"
        body = {"id": "object", "appId": "client", "displayName": "app", "keyCredentials": self.keys}
        return Response(200, {}, json.dumps(body).encode())

    def thumbprints(self) -> set[str]:
        return {key["customKeyIdentifier"] for key in self.keys}


def applications() -> Applications:
    return Applications(Graph())


def test_an_addition_is_read_written_and_read_until_it_is_settled() -> None:
    directory = Directory([])
    directory.run(applications().add_certificate("object", OURS))
    assert directory.asked == ["GET", "PATCH", "GET", "GET"]
    assert directory.thumbprints() == {OURS.thumbprint, THEIRS.thumbprint}


def test_what_another_writer_overwrote_is_written_again_beside_his() -> None:
    his = key_credential(MANY[0].leaf)
    directory = Directory([[key_credential(THEIRS.leaf), his]])
    directory.run(applications().add_certificate("object", OURS))
    assert directory.thumbprints() == {OURS.thumbprint, THEIRS.thumbprint, MANY[0].thumbprint}


def test_a_writer_who_never_ends_is_told_and_not_fought_for_ever() -> None:
    directory = Directory([[key_credential(each.leaf)] for each in MANY])
    with pytest.raises(RegistrationError) as conflict:
        directory.run(applications().add_certificate("object", OURS))
    assert conflict.value.code == "conflict"
    assert directory.asked.count("PATCH") < 10


def test_a_removal_writes_every_other_one_back_as_it_came() -> None:
    directory = Directory([])
    directory.keys += [key_credential(OURS.leaf)]
    theirs = directory.keys[0]
    directory.run(applications().remove_certificate("object", directory.keys[1]["keyId"]))
    assert directory.keys == [theirs]


@pytest.mark.parametrize(
    ("authority", "host"),
    [
        ("login.microsoftonline.com", "graph.microsoft.com"),
        ("login.microsoftonline.us", "graph.microsoft.us"),
        ("login.chinacloudapi.cn", "microsoftgraph.chinacloudapi.cn"),
    ],
)
def test_each_cloud_has_its_graph(authority: str, host: str) -> None:
    assert graph_host(authority) == host
    assert Graph(host).scope == f"https://{host}/.default"
