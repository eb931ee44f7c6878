"""A process that is killed while it asks for everybody's token: the others go on without it."""

from __future__ import annotations

import json
import subprocess
import sys
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from support.token_endpoint import CLIENT, SCOPE, TENANT

if TYPE_CHECKING:
    from support.cache_place import Place
    from support.shells import Stand

PROGRAM = """
import json, sys
from azcert import CertificateCredential
from support.cache_worker import make_cache
place, arguments, scope = json.loads(sys.argv[1])
CertificateCredential(**arguments, cache=make_cache(*place)).get_token(scope)
"""
TESTS = Path(__file__).parents[2]


def test_a_process_killed_in_the_middle_of_a_request_holds_up_nobody(place: Place, stand: Stand) -> None:
    arguments = stand.arguments(tenant_id=TENANT, client_id=CLIENT)
    told = json.dumps([[place.kind, place.where, place.key_file], arguments, SCOPE], default=str)
    stand.endpoint.gate.clear()
    asking = subprocess.Popen([sys.executable, "-c", PROGRAM, told], cwd=TESTS)
    assert stand.endpoint.arrived.acquire(timeout=60)
    asking.kill()
    asking.wait()
    stand.endpoint.gate.set()
    with closing(place.open()) as cache, stand.sync(cache=cache) as credential:
        # It waits for the other one half of its time at most: as long as a lease in Redis lasts.
        assert credential.get_token(SCOPE, timeout=8).token.startswith("token-2")
    with closing(place.open()) as cache, stand.sync(cache=cache) as credential:
        assert credential.get_token(SCOPE).token.startswith("token-2"), "and it is kept for the others"
    assert len(stand.endpoint.seen) == 2
