"""What is logged helps, and is not secret, at whatever level."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from azcert.errors import AuthenticationError
from support.shells import BOTH, Face
from support.token_endpoint import SCOPE, Answer, error

if TYPE_CHECKING:
    from support.shells import Stand

Runner = Any


async def once(credential: Face) -> str:
    return str((await credential.get_token(SCOPE)).token)


@pytest.mark.parametrize("run", BOTH)
def test_neither_token_nor_assertion_is_ever_logged(
    stand: Stand, run: Runner, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.DEBUG):
        token = run(stand, once, logging_enable=True)
        stand.endpoint.script.extend([Answer(503), error(700016, "no such application")])
        with pytest.raises(AuthenticationError) as caught:
            run(stand, once, logging_enable=True)
    said = caplog.text + str(caught.value) + repr(caught.value)
    assert token not in said
    for seen in stand.endpoint.seen:
        assertion = seen.form["client_assertion"]
        assert assertion not in said
        assert assertion.split(".")[2] not in said
    assert "PRIVATE KEY" not in said


@pytest.mark.parametrize("run", BOTH)
def test_a_new_token_is_one_line_and_a_hit_none(
    stand: Stand, run: Runner, caplog: pytest.LogCaptureFixture
) -> None:
    async def script(credential: Face) -> None:
        for _ in range(3):
            await credential.get_token(SCOPE)

    with caplog.at_level(logging.INFO, "azcert"):
        run(stand, script)
    lines = [record.getMessage() for record in caplog.records if record.name.startswith("azcert")]
    assert len(lines) == 1
    assert lines[0].startswith(f"Got a token for {SCOPE} in tenant ")


@pytest.mark.parametrize("run", BOTH)
def test_http_is_logged_with_azure_cores_rules(
    stand: Stand, run: Runner, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.INFO, "azure.core.pipeline.policies.http_logging_policy"):
        run(stand, once, headers={"x-secret": "hunter2"})
    assert "/oauth2/v2.0/token" in caplog.text
    assert "hunter2" not in caplog.text
