"""What each spelling of a source means, and what is said of one that means nothing."""

from __future__ import annotations

import pytest

from azcert.errors import SourceError
from azcert.sources.uris.uri import (
    DotnetUri,
    EnvUri,
    FdUri,
    FileUri,
    KeyVaultUri,
    Pkcs11Uri,
    SourceUri,
    StoreUri,
    TpmUri,
    parse_source,
)
from azcert.stores.names import Location, Selector, StoreName
from azcert.stores.passphrase import PassphraseFrom, PassphraseKind

SHA1 = "3A1F0C9E5B7D2A4C6E8F00112233445566778899"
MY = StoreName(Location.CURRENT_USER, "My")
MACHINE = StoreName(Location.LOCAL_MACHINE, "My")


def env(name: str) -> PassphraseFrom:
    return PassphraseFrom(PassphraseKind.ENV, name)


@pytest.mark.parametrize(
    ("text", "meaning"),
    [
        ("app.pem", FileUri("app.pem")),
        ("./env:app", FileUri("./env:app")),
        (r"C:\certs\app.pfx", FileUri(r"C:\certs\app.pfx")),
        ("c:app.pem", FileUri("c:app.pem")),
        (r"\\server\share\app.pem", FileUri(r"\\server\share\app.pem")),
        ("2031-05:app.pem", FileUri("2031-05:app.pem")),
        ("app.pem?password-env=X", FileUri("app.pem?password-env=X")),
        ("file:app.pem", FileUri("app.pem")),
        ("FILE:/etc/app.pem", FileUri("/etc/app.pem")),
        ("file:///etc/my%20app.pem", FileUri("/etc/my app.pem")),
        ("file://localhost/etc/app.pem", FileUri("/etc/app.pem")),
        ("file:///C:/certs/app.pfx", FileUri("C:/certs/app.pfx")),
        ("file:app.pfx?password-env=PFX", FileUri("app.pfx", env("PFX"))),
        (
            "file:app.pfx?password-file=/run/secrets/my%26pass",
            FileUri("app.pfx", PassphraseFrom(PassphraseKind.FILE, "/run/secrets/my&pass")),
        ),
        ("env:APP_PEM", EnvUri("APP_PEM")),
        ("env:APP_PFX?password-env=PFX", EnvUri("APP_PFX", env("PFX"))),
        ("fd:3", FdUri(3)),
        (f"store:CurrentUser/My?thumbprint={SHA1}", StoreUri(MY, Selector(SHA1))),
        (f"store:currentuser\\MY?thumbprint={SHA1.lower()}", StoreUri(MY, Selector(SHA1))),
        ("store:LocalMachine/my?subject=app", StoreUri(MACHINE, Selector(subject="app"))),
        (
            "store:LocalMachine/My?subject=CN=app%2CO=Contoso&issuer=Contoso+CA&serial=0a:1b",
            StoreUri(MACHINE, Selector(None, "CN=app,O=Contoso", "Contoso+CA", "0A1B")),
        ),
        (
            "store:CurrentUser/My?subject=app&password-credential=azcert",
            StoreUri(
                MY,
                Selector(subject="app"),
                password=PassphraseFrom(PassphraseKind.CREDENTIAL, "azcert"),
            ),
        ),
        (f"cert:/CurrentUser/My/{SHA1}", StoreUri(MY, Selector(SHA1), "cert")),
        (f"Cert:\\LocalMachine\\My\\{SHA1}", StoreUri(MACHINE, Selector(SHA1), "cert")),
        ("dotnet:CurrentUser/My?subject=app", DotnetUri(MY, Selector(subject="app"))),
        (
            "pkcs11:token=prod;object=app%20key;id=%01%02?module-path=/usr/lib/p11.so&pin-source=/run/pin",
            Pkcs11Uri(
                token="prod",
                object="app key",
                id=b"\x01\x02",
                module_path="/usr/lib/p11.so",
                pin=PassphraseFrom(PassphraseKind.FILE, "/run/pin"),
            ),
        ),
        (
            "pkcs11:slot-id=7?pin-source=file:///run/pin",
            Pkcs11Uri(slot_id=7, pin=PassphraseFrom(PassphraseKind.FILE, "/run/pin")),
        ),
        ("pkcs11:?pin-source=env:PIN", Pkcs11Uri(pin=env("PIN"))),
        ("pkcs11:token=", Pkcs11Uri(token="")),
        ("tpm:handle=0x81000001?certificate=/etc/app.cer", TpmUri(0x81000001, certificate="/etc/app.cer")),
        ("tpm:/etc/app.pem?password-env=AUTH", TpmUri(path="/etc/app.pem", password=env("AUTH"))),
        (
            "tpm:key.pem?tcti=swtpm:host=localhost,port=2321",
            TpmUri(path="key.pem", tcti="swtpm:host=localhost,port=2321"),
        ),
        ("keyvault:kv-demo/my-app", KeyVaultUri("kv-demo", "my-app")),
        (f"keyvault:kv-demo/my-app/{'ab' * 16}", KeyVaultUri("kv-demo", "my-app", "ab" * 16)),
        ("keyvault:kv-demo/my-app?download=true", KeyVaultUri("kv-demo", "my-app", download=True)),
        ("keyvault:kv.vault.azure.cn/my-app", KeyVaultUri("kv.vault.azure.cn", "my-app")),
        (
            f"keyvault:https://kv-demo.vault.azure.net/certificates/my-app/{'0' * 32}",
            KeyVaultUri("kv-demo.vault.azure.net", "my-app", "0" * 32),
        ),
    ],
)
def test_meaning(text: str, meaning: SourceUri) -> None:
    assert parse_source(text) == meaning


@pytest.mark.parametrize(
    ("text", "under", "message"),
    [
        ("", "", "empty"),
        ("a\0b", "\0b", "NUL"),
        ("stor:CurrentUser/My", "stor:", "did you mean 'store:'"),
        ("kevault:kv/app", "kevault:", "did you mean 'keyvault:'"),
        ("https://kv.vault.azure.net/", "https:", "no kind of certificate source"),
        ("file:", "", "path is missing"),
        ("file://server/app.pem", "server", "this machine"),
        ("file:a%zz", "%zz", "two hexadecimal digits"),
        ("file:a%00", "%00", "NUL"),
        ("file:a?passwrd-env=X", "passwrd-env", "did you mean 'password-env'"),
        ("file:a?password-env", "", "no '='"),
        ("file:a?password-env=", "", "empty"),
        ("file:a?password-env=A&password-env=B", "password-env=B", "twice"),
        ("file:a?password-env=A&password-file=B", "password-file", "exclude"),
        ("file:a?password-fd=x", "x", "number"),
        ("file:a?", "", "name is missing"),
        ("env:1A", "1A", "environment variable"),
        ("fd:x", "x", "number"),
        ("store:CurrentUser/My", "", "which certificate"),
        ("store:CurentUser/My?subject=a", "CurentUser", "did you mean CurrentUser"),
        ("store:CurrentUser?subject=a", "?", "name of a store is missing"),
        ("store:CurrentUser/My/x?subject=a", "/x", "only '?'"),
        ("store:CurrentUser/../x?subject=a", "/x", "only '?'"),
        ("store:CurrentUser/..?subject=a", "..", "letters"),
        ("store:CurrentUser/My?thumprint=A", "thumprint", "did you mean 'thumbprint'"),
        ("store:CurrentUser/My?thumbprint=ABC", "", "it has 3 hexadecimal digits"),
        (f"store:CurrentUser/My?thumbprint={SHA1[:-1]}O", "O", "'O' is not a hexadecimal digit"),
        ("store:CurrentUser/My?serial=xyz", "xyz", "serial number"),
        ("store:CurrentUser/My?password-env=X", "", "which certificate"),
        ("cert:/CurrentUser/My/XYZ", "XYZ", "'X' is not"),
        ("cert:", "", "Expected cert:/"),
        ("dotnet:CurrentUser/My?subject=a&password-env=X", "password-env", "no parameter"),
        ("pkcs11:tokn=a", "tokn", "did you mean 'token'"),
        ("pkcs11:token=a;token=b", "token=b", "twice"),
        ("pkcs11:object=my key", " key", "percent-encoded: %20"),
        ("pkcs11:type=key", "key", "private, public, cert"),
        ("pkcs11:slot-id=x", "x", "decimal"),
        ("pkcs11:slot-id=99999999999999999999", "9999", "larger"),
        ("pkcs11:library-version=1.2.3", "1.2.3", "number"),
        ("pkcs11:module-path=/x", "module-path", "behind the '?'"),
        ("pkcs11:id=%0", "%0", "two hexadecimal"),
        ("pkcs11:token=a?pin-source=|cat", "|cat", "not run programs"),
        ("pkcs11:token=a?pin-source=/a&password-env=B", "pin-source", "exclude"),
        ("tpm:", "", "key file or handle"),
        ("tpm:handle=0x80000001", "0x80000001", "persistent"),
        ("tpm:handle=7", "7", "persistent"),
        ("keyvault:kv-demo", "", "VAULT/CERTIFICATE"),
        ("keyvault:k/app", "k/app", "vault's name"),
        ("keyvault:kv-demo/a_b", "a_b", "certificate's name"),
        ("keyvault:kv-demo/app/1", "1", "32 hexadecimal"),
        ("keyvault:kv-demo/app?download=yes", "yes", "true or false"),
    ],
)
def test_faults_point_at_the_wrong_part(text: str, under: str, message: str) -> None:
    with pytest.raises(SourceError) as caught:
        parse_source(text)
    assert message in str(caught.value)
    assert text[caught.value.details["position"] :].startswith(under)
    if not under:
        assert caught.value.details["position"] == len(text)


def test_a_fault_is_shown_under_the_text() -> None:
    with pytest.raises(SourceError) as caught:
        parse_source("store:CurrentUser/My?thumprint=A1")
    assert caught.value.details["pointer"] == (
        "store:CurrentUser/My?thumprint=A1\n"
        "                     ^"
    )  # fmt: skip


@pytest.mark.parametrize(
    "text", ["file:a.pfx?password=hunter2", "pkcs11:token=a?pin-value=hunter2", "tpm:a?pin=hunter2"]
)
def test_a_password_in_a_source_is_refused_and_never_shown(text: str) -> None:
    with pytest.raises(SourceError) as caught:
        parse_source(text)
    assert caught.value.code == "bare-password"
    assert "password-file" in str(caught.value)
    assert "hunter2" not in repr(caught.value.as_dict())


@pytest.mark.parametrize(
    "shape",
    [
        "\u200e3a 1f 0c 9e 5b 7d 2a 4c 6e 8f 00 11 22 33 44 55 66 77 88 99",
        "3A:1F:0C:9E:5B:7D:2A:4C:6E:8F:00:11:22:33:44:55:66:77:88:99",
        "3A1F0C9E-5B7D-2A4C-6E8F-001122334455-66778899\u200f",
        "\ufeff3a1f\u200b0c9e5b7d2a4c6e8f\u00a000112233445566778899\n",
    ],
)
def test_thumbprints_are_taken_in_every_shape_people_paste(shape: str) -> None:
    source = parse_source(f"store:CurrentUser/My?thumbprint={shape}")
    assert source == StoreUri(MY, Selector(SHA1))
    assert parse_source(f"cert:/CurrentUser/My/{shape}") == StoreUri(MY, Selector(SHA1), "cert")


def test_an_unexpected_character_of_a_thumbprint_is_named() -> None:
    with pytest.raises(SourceError, match="CYRILLIC SMALL LETTER A"):
        parse_source(f"store:CurrentUser/My?thumbprint={SHA1[:-1]}\u0430")


@pytest.mark.parametrize(
    ("vault", "url"),
    [
        ("kv-demo", "https://kv-demo.vault.azure.net"),
        ("kv.vault.azure.cn", "https://kv.vault.azure.cn"),
        ("localhost:8443", "https://localhost:8443"),
    ],
)
def test_the_vaults_address(vault: str, url: str) -> None:
    assert KeyVaultUri(vault, "app").vault_url == url
