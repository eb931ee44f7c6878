"""OpenTelemetry sees each token request, and no secret in it."""

from __future__ import annotations

import json
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from azcert.emulator.fixture import AzcertEmulator

# Another process: a tracer provider is set once and for all.
PROGRAM = """
import json, os
from azure.core.settings import settings
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from azcert import CertificateCredential

exporter = InMemorySpanExporter()
provider = TracerProvider()
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
settings.tracing_enabled = True
variables = ("AZURE_TENANT_ID", "AZURE_CLIENT_ID", "AZURE_CLIENT_CERTIFICATE_PATH")
with CertificateCredential(*map(os.environ.get, variables)) as credential:
    for _ in range(3):
        credential.get_token("https://vault.azure.net/.default")
print(json.dumps([span.to_json(indent=None) for span in exporter.get_finished_spans()]))
"""


def test_each_request_is_a_span_and_hits_are_none(azcert_environment: AzcertEmulator) -> None:
    done = subprocess.run([sys.executable, "-c", PROGRAM], capture_output=True, text=True, check=True)
    (span,) = [json.loads(text) for text in json.loads(done.stdout)]
    assert span["name"] == "POST"
    assert span["attributes"]["http.response.status_code"] == 200
    assert span["attributes"]["url.full"].endswith("/oauth2/v2.0/token")
    assert "eyJ" not in done.stdout
    assert "client_assertion" not in done.stdout
