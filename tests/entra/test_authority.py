from __future__ import annotations

import string

import pytest
from azure.identity import AzureAuthorityHosts
from hypothesis import given
from hypothesis import strategies as st

from azcert.entra.authority import (
    KNOWN_HOSTS,
    Authority,
    check_tenant,
    default_authority,
    parse_authority,
    resolve_tenant,
)
from azcert.errors import AuthenticationError, AzcertError, ConfigurationError

NONE: frozenset[str] = frozenset()


@pytest.mark.parametrize(
    ("text", "host"),
    [
        ("login.microsoftonline.com", "login.microsoftonline.com"),
        ("https://login.microsoftonline.us/", "login.microsoftonline.us"),
        ("  LOGIN.chinacloudapi.cn// ", "login.chinacloudapi.cn"),
        ("https://localhost:8443", "localhost:8443"),
    ],
)
def test_an_authority_is_a_host_or_an_https_url(text: str, host: str) -> None:
    assert parse_authority(text) == Authority(host)


@pytest.mark.parametrize(
    "text", ["http://login.microsoftonline.com", "https://", "https://a/?b=c", "ftp://x"]
)
def test_another_scheme_or_no_host_is_refused(text: str) -> None:
    with pytest.raises(ConfigurationError) as caught:
        parse_authority(text)
    assert caught.value.code == "bad-authority"
    assert isinstance(caught.value, ValueError)


@given(st.text(max_size=60))
def test_any_text_is_an_authority_or_our_error(text: str) -> None:
    try:
        authority = parse_authority(text)
    except ConfigurationError:
        return
    except ValueError as error:
        pytest.fail(f"a foreign error: {error!r}")
    assert authority.token_url("t").startswith(f"https://{authority.host}")


def test_the_environment_names_the_default_authority(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("AZURE_AUTHORITY_HOST", raising=False)
    assert default_authority() == Authority("login.microsoftonline.com")
    monkeypatch.setenv("AZURE_AUTHORITY_HOST", AzureAuthorityHosts.AZURE_GOVERNMENT)
    assert default_authority() == Authority("login.microsoftonline.us")


def test_every_cloud_azure_identity_names_is_known() -> None:
    clouds = {
        AzureAuthorityHosts.AZURE_PUBLIC_CLOUD,
        AzureAuthorityHosts.AZURE_GOVERNMENT,
        AzureAuthorityHosts.AZURE_CHINA,
    }
    assert clouds <= KNOWN_HOSTS
    assert all(parse_authority(cloud).is_known for cloud in clouds)
    assert parse_authority("contoso.ciamlogin.com").is_known
    assert not parse_authority("login.microsoftonline.com.evil.example").is_known
    assert not parse_authority("localhost").is_known


def test_token_endpoints() -> None:
    public = Authority("login.microsoftonline.com")
    assert public.token_url("t1") == "https://login.microsoftonline.com/t1/oauth2/v2.0/token"
    assert Authority("fs.contoso.com").token_url("adfs") == "https://fs.contoso.com/adfs/oauth2/token"
    assert (
        public.regional_token_url("t1", "westeurope")
        == "https://westeurope.login.microsoft.com/t1/oauth2/v2.0/token"
    )
    assert (
        Authority("login.microsoftonline.us").regional_token_url("t1", "usgovvirginia")
        == "https://usgovvirginia.login.microsoftonline.us/t1/oauth2/v2.0/token"
    )


@pytest.mark.parametrize("region", ["", "evil.example/", "west europe", "-a", "a" * 70])
def test_a_region_is_a_dns_label(region: str) -> None:
    with pytest.raises(ConfigurationError):
        Authority("login.microsoftonline.com").regional_token_url("t", region)


@given(st.text(max_size=40))
def test_a_tenant_that_passes_cannot_leave_its_place_in_the_url(tenant: str) -> None:
    try:
        checked = check_tenant(tenant)
    except ConfigurationError:
        return
    assert set(checked) <= set(string.ascii_letters + string.digits + "-.")


def test_a_call_gets_the_configured_tenant_unless_it_names_an_allowed_one(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("AZURE_IDENTITY_DISABLE_MULTITENANTAUTH", raising=False)
    assert resolve_tenant("home", None, NONE) == "home"
    assert resolve_tenant("home", "home", NONE) == "home"
    assert resolve_tenant("home", "other", frozenset({"other"})) == "other"
    assert resolve_tenant("home", "other", frozenset({"*"})) == "other"
    assert resolve_tenant("adfs", "other", NONE) == "adfs"
    with pytest.raises(AuthenticationError, match="not configured to acquire tokens for") as caught:
        resolve_tenant("home", "other", frozenset({"third"}))
    assert caught.value.code == "tenant-not-allowed"
    with pytest.raises(AzcertError):
        resolve_tenant("home", "../evil", frozenset({"*"}))


def test_multitenant_authentication_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AZURE_IDENTITY_DISABLE_MULTITENANTAUTH", "true")
    assert resolve_tenant("home", "other", frozenset({"*"})) == "home"
