"""OpenTelemetry sees each token request below what its caller does, and no secret in it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from azcert.emulator.fixture import AzcertEmulator

# Another process: a tracer provider is set once and for all.
PROGRAM = """
import asyncio, json, os, sys
from azure.core.settings import settings
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
import azcert, azcert.aio

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
settings.tracing_enabled = True
tracer = trace.get_tracer("the program")
who = list(map(os.environ.get, ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_CERTIFICATE_PATH")))
scope = "https://vault.azure.net/.default"

def threads():
    with azcert.CertificateCredential(*who) as credential:
        with tracer.start_as_current_span("of the caller"):
            for _ in range(3):
                credential.get_token(scope)

async def tasks():
    async with azcert.aio.CertificateCredential(*who) as credential:
        with tracer.start_as_current_span("of the caller"):
            for _ in range(3):
                await credential.get_token(scope)

threads() if sys.argv[1] == "sync" else asyncio.run(tasks())
print(json.dumps([span.to_json(indent=None) for span in exporter.get_finished_spans()]))
"""


@pytest.mark.parametrize("kind", ["sync", "aio"])
def test_each_request_is_a_span_below_its_callers_and_hits_are_none(
    azcert_environment: AzcertEmulator, kind: str
) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM, kind], capture_output=True, text=True, check=True)
    span, caller = [json.loads(text) for text in json.loads(done.stdout)]
    assert (span["name"], caller["name"]) == ("POST", "of the caller")
    assert span["parent_id"] == caller["context"]["span_id"]
    assert span["attributes"]["http.response.status_code"] == 200
    assert span["attributes"]["url.full"].endswith("/oauth2/v2.0/token")
    assert "eyJ" not in done.stdout
    assert "client_assertion" not in done.stdout
