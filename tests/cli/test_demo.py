"""The demo does the whole job and tells it."""

from __future__ import annotations

import os
import subprocess
import sys

LINE = "Secret value is: the first secret of kv-demo"


def test_the_demo_ends_with_the_secret_read_three_times() -> None:
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AZURE_")}
    done = subprocess.run(
        [sys.executable, "-m", "azcert", "demo"],
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == [LINE] * 3
    assert done.stderr.count("Entra ID checked the signature and answered 200") == 3
    assert '"alg": "PS256"' in done.stderr
    assert '"alg": "RS256"' in done.stderr, "azure-identity's own credential signs with RS256"
    assert "PRIVATE KEY" not in done.stderr
