"""docs/secret-cache.md: its table is what the code has, its settings and programs work."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from typing import TYPE_CHECKING

from azure.keyvault.secrets import SecretClient
from azure.search.documents import SearchClient

import azcert
import azcert.aio
from azcert._values import parse_timespan, words
from azcert.emulator.ready_made import SECRET_VALUE
from support.console import ROOT

if TYPE_CHECKING:
    from azcert.emulator.fixture import AzcertEmulator

PAGE = (ROOT / "docs" / "secret-cache.md").read_text(encoding="utf-8")


def settings() -> list[dict[str, object]]:
    return [json.loads(f"{{{code}}}") for code in re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)]


def test_the_table_has_every_rule_with_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \|", PAGE, re.MULTILINE)
    assert {"_".join(words(name)) for name, _ in rows} == {each.name for each in fields(azcert.CacheRules)}
    rules = azcert.CacheRules()
    for name, default in rows:
        has = getattr(rules, "_".join(words(name)))
        span = parse_timespan(default.strip("`"))
        if has is None:
            assert default == "a fifth of the time"
            assert rules.due(pinned=False) == rules.ttl * 4 / 5
        else:
            assert has == (int(default) if span is None or name == "Capacity" else span.total_seconds())


def test_the_cache_of_the_page_keeps_secrets(azcert_environment: AzcertEmulator) -> None:
    with azcert.AzureClients.from_settings(settings()[0]) as clients:
        client = clients.get(SecretClient, "KeyVault")
        client.get_secret("myTestSecret1")
        before = len(azcert_environment.requests)
        assert client.get_secret("myTestSecret1").value == SECRET_VALUE
        assert len(azcert_environment.requests) == before


async def test_the_reference_of_the_page_becomes_a_clients_key(azcert_environment: AzcertEmulator) -> None:
    from azure.search.documents.aio import SearchClient as AsyncSearchClient

    section = settings()[1]
    with azcert.AzureClients.from_settings(section) as clients:
        clients.get(SearchClient, "Search")
        assert clients.credential("Search").key == SECRET_VALUE
    async with azcert.aio.AzureClients.from_settings(section) as awaited:
        awaited.get(AsyncSearchClient, "Search")
        assert awaited.credential("Search").key == SECRET_VALUE
