"""The emulated vault's certificates, through Microsoft's client and at its edges."""

from __future__ import annotations

import base64
import datetime as dt
import hashlib
from typing import TYPE_CHECKING, Any

import pytest
from azure.core.exceptions import ResourceNotFoundError
from azure.identity import EnvironmentCredential
from azure.keyvault.certificates import (
    CertificateClient,
    CertificateContentType,
    CertificatePolicy,
    CertificateProperties,
    KeyUsageType,
    KeyVaultCertificate,
)
from azure.keyvault.keys import KeyClient
from azure.keyvault.keys.crypto import SignatureAlgorithm
from azure.keyvault.secrets import SecretClient
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
    pkcs12,
)

from azcert.emulator.ready_made import SERVICE_PRINCIPAL_ID, VAULT
from support.emulated import Emulated, certificate, rsa_key

if TYPE_CHECKING:
    from collections.abc import Iterator

    from azcert.emulator.fixture import AzcertEmulator


@pytest.fixture
def credential(azcert_environment: AzcertEmulator) -> Iterator[EnvironmentCredential]:
    put = azcert_environment.world.documents.put
    put("role", f"{VAULT}/{SERVICE_PRINCIPAL_ID}", ["Key Vault Administrator"])
    with EnvironmentCredential() as opened:
        yield opened


@pytest.fixture
def client(
    azcert_environment: AzcertEmulator, credential: EnvironmentCredential
) -> Iterator[CertificateClient]:
    with CertificateClient(azcert_environment.vault_url, credential) as opened:
        yield opened


@pytest.fixture
def secrets(azcert_environment: AzcertEmulator, credential: EnvironmentCredential) -> Iterator[SecretClient]:
    with SecretClient(azcert_environment.vault_url, credential) as opened:
        yield opened


@pytest.fixture
def keys(azcert_environment: AzcertEmulator, credential: EnvironmentCredential) -> Iterator[KeyClient]:
    with KeyClient(azcert_environment.vault_url, credential) as opened:
        yield opened


def policy(**more: Any) -> CertificatePolicy:
    return CertificatePolicy("Self", **{"subject": "CN=app, O=Contoso", **more})


def create_certificate(
    client: CertificateClient, name: str, wanted: CertificatePolicy, **more: Any
) -> KeyVaultCertificate:
    made = client.begin_create_certificate(name, wanted, **more).result()
    assert isinstance(made, KeyVaultCertificate)
    return made


def cer(made: KeyVaultCertificate) -> bytes:
    assert made.cer
    return bytes(made.cer)


def properties(made: KeyVaultCertificate) -> CertificateProperties:
    assert made.properties
    return made.properties


def test_a_certificate_comes_with_its_key_and_secret_under_one_version(
    client: CertificateClient, secrets: SecretClient, keys: KeyClient
) -> None:
    made = create_certificate(client, "c", policy(san_dns_names=["app.contoso.com"]))
    leaf = x509.load_der_x509_certificate(cer(made))
    assert leaf.subject.rfc4514_string() == "CN=app,O=Contoso"
    names = leaf.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    assert names.get_values_for_type(x509.DNSName) == ["app.contoso.com"]
    assert (
        bytes(properties(made).x509_thumbprint or b"")
        == hashlib.sha1(cer(made), usedforsecurity=False).digest()
    )
    secret, key = secrets.get_secret("c"), keys.get_key("c")
    assert secret.properties.version == key.properties.version == properties(made).version
    assert (secret.properties.content_type, secret.properties.managed) == ("application/x-pkcs12", True)
    private, inside, _ = pkcs12.load_key_and_certificates(base64.b64decode(str(secret.value)), None)
    assert inside == leaf
    assert private
    assert private.public_key() == leaf.public_key()
    assert leaf.not_valid_before_utc < dt.datetime.now(dt.UTC) - dt.timedelta(minutes=9)
    digest = hashlib.sha256(b"header.payload").digest()
    signature = keys.get_cryptography_client("c").sign(SignatureAlgorithm.ps256, digest).signature
    public = leaf.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    scheme = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
    public.verify(signature, digest, scheme, utils.Prehashed(hashes.SHA256()))


def test_a_pem_certificate_is_a_key_and_a_certificate_in_text(
    client: CertificateClient, secrets: SecretClient
) -> None:
    made = create_certificate(client, "c", policy(content_type=CertificateContentType.pem))
    text = str(secrets.get_secret("c").value).encode()
    key = load_pem_private_key(text, None)
    assert text.startswith(b"-----BEGIN PRIVATE KEY-----\n")
    assert x509.load_pem_x509_certificate(text).public_bytes(Encoding.DER) == cer(made)
    assert x509.load_pem_x509_certificate(text).public_key() == key.public_key()


def test_a_key_that_may_not_leave_is_not_in_the_secret(
    client: CertificateClient, secrets: SecretClient
) -> None:
    made = create_certificate(client, "c", policy(exportable=False, key_type="RSA"))
    data = base64.b64decode(str(secrets.get_secret("c").value))
    key, leaf, others = pkcs12.load_key_and_certificates(data, None)
    assert key is None
    found = [one for one in [leaf, *others] if one]
    assert [one.public_bytes(Encoding.DER) for one in found] == [cer(made)]
    client.begin_create_certificate(
        "p", policy(exportable=False, key_type="RSA", content_type="application/x-pem-file")
    ).result()
    assert "PRIVATE" not in str(secrets.get_secret("p").value)


def test_a_ca_signs_the_request_and_the_answer_is_merged(
    client: CertificateClient, secrets: SecretClient
) -> None:
    client.begin_create_certificate("c", CertificatePolicy("Unknown", subject="CN=app"))
    operation = client.get_certificate_operation("c")
    assert operation.status == "inProgress"
    request = x509.load_der_x509_csr(bytes(operation.csr or b""))
    assert request.is_signature_valid
    public = request.public_key()
    assert isinstance(public, rsa.RSAPublicKey)
    ca_key = rsa_key(2)
    ca = certificate(ca_key, "Contoso CA", ca=True)
    now = dt.datetime.now(dt.UTC)
    leaf = (
        x509.CertificateBuilder()
        .subject_name(request.subject)
        .issuer_name(ca.subject)
        .public_key(public)
        .serial_number(7)
        .not_valid_before(now)
        .not_valid_after(now + dt.timedelta(days=9))
        .sign(ca_key, hashes.SHA256())
    )
    chain = [one.public_bytes(Encoding.DER) for one in (ca, leaf)]
    merged = client.merge_certificate("c", chain)
    assert cer(merged) == chain[1]
    data = base64.b64decode(str(secrets.get_secret("c").value))
    key, inside, others = pkcs12.load_key_and_certificates(data, None)
    assert key
    assert key.public_key() == public
    assert (inside, others) == (leaf, [ca])
    assert client.get_certificate_operation("c").status == "completed"


def test_a_renewal_is_a_new_version_and_the_old_one_serves_until_it_is_there(
    client: CertificateClient, secrets: SecretClient, azcert_emulator: AzcertEmulator
) -> None:
    first = create_certificate(client, "c", policy())
    azcert_emulator.world.delays.issuance = 600
    client.begin_create_certificate("c", policy())
    assert properties(client.get_certificate("c")).version == properties(first).version
    assert secrets.get_secret("c").properties.version == properties(first).version
    azcert_emulator.world.clock.advance(601)
    # Nobody looked at the certificate in between.
    renewed = secrets.get_secret("c").properties.version
    second = client.get_certificate("c")
    assert properties(second).version == renewed
    assert properties(second).version != properties(first).version
    assert secrets.get_secret("c").properties.version == properties(second).version
    assert client.get_certificate_version("c", str(properties(first).version)).cer == first.cer


@pytest.mark.parametrize("form", ["pfx", "pfx with password", "pem", "pem, certificate first"])
def test_what_is_imported_is_kept_as_it_is(
    client: CertificateClient, secrets: SecretClient, form: str
) -> None:
    key = rsa_key()
    leaf = certificate(key, "imported")
    text = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    own = leaf.public_bytes(Encoding.PEM)
    more: dict[str, Any] = {}
    if form.startswith("pem"):
        data = own + text if "first" in form else text + own
        more["policy"] = CertificatePolicy(content_type=CertificateContentType.pem)
    else:
        word = b"pass" if "password" in form else None
        sealing = BestAvailableEncryption(word) if word else NoEncryption()
        data = pkcs12.serialize_key_and_certificates(None, key, leaf, None, sealing)
        more["password"] = "pass" if word else None
    made = client.import_certificate("c", data, **more)
    assert cer(made) == leaf.public_bytes(Encoding.DER)
    assert made.policy
    assert made.policy.issuer_name == "Unknown"
    value = str(secrets.get_secret("c").value)
    if form.startswith("pem"):
        assert load_pem_private_key(value.encode(), None).public_key() == key.public_key()
    else:
        private, _, _ = pkcs12.load_key_and_certificates(base64.b64decode(value), None)
        assert private
        assert private.public_key() == key.public_key()


def test_certificate_key_and_secret_are_deleted_recovered_and_purged_together(
    client: CertificateClient, secrets: SecretClient, keys: KeyClient
) -> None:
    made = create_certificate(client, "c", policy())
    blob = client.backup_certificate("c")
    client.begin_delete_certificate("c").result()
    for gone in (client.get_certificate, secrets.get_secret, keys.get_key):
        with pytest.raises(ResourceNotFoundError):
            gone("c")
    client.begin_recover_deleted_certificate("c").wait()
    assert secrets.get_secret("c").properties.version == properties(made).version
    client.begin_delete_certificate("c").result()
    client.purge_deleted_certificate("c")
    assert list(client.list_deleted_certificates()) == []
    assert client.restore_certificate_backup(blob).cer == made.cer
    assert keys.get_key("c").properties.version == properties(made).version


def test_lists_and_policy(client: CertificateClient) -> None:
    client.begin_create_certificate(
        "c", policy(key_usage=[KeyUsageType.digital_signature]), tags={"a": "b"}
    ).result()
    create_certificate(client, "c", policy())
    assert [item.name for item in client.list_properties_of_certificates()] == ["c"]
    assert len(list(client.list_properties_of_certificate_versions("c"))) == 2
    shorter = policy(validity_in_months=3)
    assert client.update_certificate_policy("c", shorter).validity_in_months == 3
    made = create_certificate(client, "c", client.get_certificate_policy("c"))
    leaf = x509.load_der_x509_certificate(cer(made))
    assert leaf.not_valid_after_utc - leaf.not_valid_before_utc < dt.timedelta(days=93)
    assert properties(client.update_certificate_properties("c", enabled=False)).enabled is False


@pytest.fixture
def emulated() -> Emulated:
    return Emulated()


SELF = {
    "issuer": {"name": "Self"},
    "x509_props": {"subject": "CN=app"},
    "key_props": {"kty": "EC", "crv": "P-256"},
}


def code(answer: Any) -> tuple[int, str]:
    return answer.status_code, answer.json()["error"]["code"]


def create(emulated: Emulated, **changes: Any) -> Any:
    return emulated.vault("POST", "/certificates/c/create", {"policy": {**SELF, **changes}})


@pytest.mark.parametrize(
    "changes",
    [
        {"x509_props": {"subject": "app"}},
        {"x509_props": {"subject": ""}},
        {"x509_props": {"subject": "CN=a", "key_usage": ["fly"]}},
        {"x509_props": {"subject": "CN=a", "ekus": ["x"]}},
        {"x509_props": {"subject": "CN=a", "validity_months": 0}},
        {"x509_props": {"subject": "CN=a", "sans": {"dns_names": ["ä"]}}},
        {"x509_props": {"subject": "CN=a", "sans": {"ipAddresses": ["x"]}}},
        {"x509_props": []},
        {"issuer": {"name": "DigiCert"}},
        {"secret_props": {"contentType": "text/plain"}},
        {"key_props": {"kty": "RSA", "key_size": 1000}},
        {"key_props": {"kty": "oct"}},
    ],
)
def test_refuses_what_a_policy_cannot_say(emulated: Emulated, changes: dict[str, Any]) -> None:
    assert code(create(emulated, **changes)) == (400, "BadParameter")
    assert emulated.vault("GET", "/certificates").json()["value"] == []
    assert emulated.vault("GET", "/keys").json()["value"] == []


def test_one_operation_at_a_time(emulated: Emulated) -> None:
    emulated.world.delays.issuance = 60
    assert create(emulated).status_code == 202
    assert code(create(emulated)) == (409, "Conflict")
    emulated.world.clock.advance(61)
    assert create(emulated).status_code == 202


def test_an_operation_that_was_purged_does_not_come_back(emulated: Emulated) -> None:
    emulated.world.delays.issuance = 60
    create(emulated)
    assert emulated.vault("DELETE", "/certificates/c").status_code == 200
    assert emulated.vault("DELETE", "/deletedcertificates/c").status_code == 204
    text = certificate(rsa_key()).public_bytes(Encoding.PEM) + rsa_key().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    emulated.vault("POST", "/certificates/c/import", {"value": text.decode()})
    emulated.world.clock.advance(61)
    assert len(emulated.vault("GET", "/certificates/c/versions").json()["value"]) == 1
    assert emulated.vault("GET", "/secrets/c").status_code == 200


def test_a_certificate_of_another_key_is_not_merged(emulated: Emulated) -> None:
    create(emulated, issuer={"name": "Unknown"})
    der = base64.b64encode(certificate(rsa_key(1)).public_bytes(Encoding.DER)).decode()
    path = "/certificates/c/pending/merge"
    assert code(emulated.vault("POST", path, {"x5c": [der]})) == (400, "BadParameter")
    assert code(emulated.vault("POST", path, {"x5c": ["AAAA"]})) == (400, "BadParameter")
    assert code(emulated.vault("POST", path, {"x5c": []})) == (400, "BadParameter")
    assert code(emulated.vault("POST", "/certificates/d/pending/merge", {"x5c": [der]}))[0] == 404


@pytest.mark.parametrize("value", [None, 7, "", "x", "AAAA", "-----BEGIN CERTIFICATE-----"])
def test_garbage_is_not_imported(emulated: Emulated, value: Any) -> None:
    assert code(emulated.vault("POST", "/certificates/c/import", {"value": value})) == (400, "BadParameter")


def test_what_belongs_to_a_certificate_is_not_touched_alone(emulated: Emulated) -> None:
    create(emulated)
    assert code(emulated.vault("PUT", "/secrets/c", {"value": "v"})) == (403, "Forbidden")
    assert code(emulated.vault("DELETE", "/secrets/c")) == (403, "Forbidden")
    assert code(emulated.vault("DELETE", "/keys/c")) == (403, "Forbidden")
    assert code(emulated.vault("POST", "/keys/c/create", {"kty": "EC"})) == (403, "Forbidden")


def test_the_name_of_a_secret_of_its_own_is_taken(emulated: Emulated) -> None:
    emulated.vault("PUT", "/secrets/c", {"value": "v"})
    assert code(create(emulated)) == (409, "Conflict")
    data = certificate(rsa_key()).public_bytes(Encoding.PEM) + rsa_key().private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    assert code(emulated.vault("POST", "/certificates/c/import", {"value": data.decode()})) == (
        409,
        "Conflict",
    )
    assert emulated.vault("GET", "/secrets/c").json()["value"] == "v"


def test_reading_a_certificate_is_not_reading_its_key(emulated: Emulated) -> None:
    create(emulated)
    emulated.grant("Key Vault Certificates Officer")
    assert emulated.vault("GET", "/certificates/c").status_code == 200
    assert code(emulated.vault("GET", "/secrets/c")) == (403, "Forbidden")
    emulated.grant("Key Vault Certificate User")
    assert emulated.vault("GET", "/secrets/c").status_code == 200
    assert code(create(emulated)) == (403, "Forbidden")
