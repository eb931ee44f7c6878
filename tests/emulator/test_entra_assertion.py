"""What the emulated Entra ID takes as a proof, and how it refuses anything else."""

from __future__ import annotations

import base64
import datetime as dt
import json
import uuid
from typing import TYPE_CHECKING, Any

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding

from support.emulated import (
    CLIENT,
    DOMAIN,
    LOGIN,
    PRINCIPAL,
    TENANT,
    Emulated,
    b64,
    certificate,
    key_credential,
    rsa_key,
    sign,
    thumbprint,
)

if TYPE_CHECKING:
    from cryptography import x509
    from httpx2 import Response


@pytest.fixture
def emulated() -> Emulated:
    return Emulated()


def ask(emulated: Emulated, header: dict[str, Any] | None = None, **claims: Any) -> Response:
    return emulated.token_request(client_assertion=emulated.assertion(header, **claims))


def refusal(answer: Response) -> tuple[int, str, int]:
    body = answer.json()
    assert list(body) == [
        "error",
        "error_description",
        "error_codes",
        "timestamp",
        "trace_id",
        "correlation_id",
        "error_uri",
    ]
    code = body["error_codes"][0]
    assert body["error_description"].startswith(f"AADSTS{code}: ")
    ids = f"Trace ID: {body['trace_id']} Correlation ID: {body['correlation_id']}"
    assert body["error_description"].endswith(f" {ids} Timestamp: {body['timestamp']}")
    assert answer.headers["x-ms-request-id"] == body["trace_id"]
    assert answer.headers["x-ms-clitelem"] == f"1,{code},0,,"
    return answer.status_code, body["error"], code


def head(emulated: Emulated, **changes: Any) -> dict[str, Any]:
    whole = {"alg": "PS256", "typ": "JWT", "x5t#S256": thumbprint(emulated.certificate), **changes}
    return {name: value for name, value in whole.items() if value is not None}


def standard(text: str) -> str:
    return base64.b64encode(base64.urlsafe_b64decode(text + "==")).decode()


def x5c(*certificates: x509.Certificate) -> list[str]:
    return [base64.b64encode(one.public_bytes(Encoding.DER)).decode() for one in certificates]


# What clients really send


@pytest.mark.parametrize("algorithm", ["RS256", "RS384", "RS512", "PS256", "PS384", "PS512"])
def test_takes_each_algorithm_of_the_rsa_families(emulated: Emulated, algorithm: str) -> None:
    assert ask(emulated, head(emulated, alg=algorithm)).status_code == 200


def test_takes_the_thumbprint_in_every_encoding_that_clients_use(emulated: Emulated) -> None:
    sha256, sha1 = thumbprint(emulated.certificate), thumbprint(emulated.certificate, "x5t")
    for given in (
        {"x5t#S256": sha256},
        {"x5t#S256": sha256 + "="},
        {"x5t#S256": standard(sha256)},
        {"x5t#s256": sha256},
        {"x5t": sha1},
        {"x5t": sha1 + "="},
        {"x5t": standard(sha1)},
    ):
        assert ask(emulated, {"alg": "RS256", "typ": "JWT", **given}).status_code == 200, given


def test_takes_times_as_numbers_and_as_strings_and_padded_segments(emulated: Emulated) -> None:
    now = emulated.world.clock.now()
    for claims in (
        {"nbf": None, "iat": now, "exp": now + 600.25},
        {"nbf": str(int(now)), "exp": str(int(now) + 600), "iat": None},
        {"nbf": None, "iat": None},
        {"aud": [f"https://{LOGIN}/{TENANT}/oauth2/v2.0/token"]},
    ):
        assert ask(emulated, **claims).status_code == 200, claims
    first, second, third = emulated.assertion().split(".")
    padded = ".".join(part + "=" * (-len(part) % 4) for part in (first, second))
    signed = emulated.key.sign(padded.encode(), *_ps256())
    assert emulated.token_request(client_assertion=f"{padded}.{b64(signed)}==").status_code == 200
    assert emulated.token_request(client_assertion=f"{padded}.{third}").status_code == 401


def _ps256() -> tuple[Any, Any]:
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding

    return padding.PSS(padding.MGF1(hashes.SHA256()), 32), hashes.SHA256()


@pytest.mark.parametrize(
    "audience",
    [
        f"https://{LOGIN}/{TENANT}/oauth2/v2.0/token",
        f"https://{LOGIN}/{TENANT}/oauth2/token",
        f"https://{LOGIN}/{TENANT}/v2.0",
        f"https://{LOGIN}/{DOMAIN}/oauth2/v2.0/token",
        f"https://login.windows.net/{TENANT}/oauth2/v2.0/token",
        f"https://sts.windows.net/{TENANT}/",
    ],
)
def test_takes_every_name_of_its_token_endpoint_as_audience(emulated: Emulated, audience: str) -> None:
    assert ask(emulated, aud=audience).status_code == 200


def test_takes_the_regional_host_and_the_tenants_domain(emulated: Emulated) -> None:
    host = "westeurope.login.microsoft.com"
    good = emulated.assertion(aud=f"https://{host}/{TENANT}/oauth2/v2.0/token")
    assert emulated.token_request(host=host, client_assertion=good).status_code == 200
    assert emulated.token_request(tenant=DOMAIN.upper()).status_code == 200


def test_notes_a_repeated_assertion_but_takes_it(emulated: Emulated) -> None:
    same = emulated.assertion()
    answers = [emulated.token_request(client_assertion=same) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    assert [entry["jti_repeated"] for entry in emulated.world.record] == [False, True]


# What it refuses


def test_refuses_other_audiences_issuers_and_subjects(emulated: Emulated) -> None:
    other = str(uuid.uuid4())
    for claims, expected in (
        (
            {"aud": "https://login.microsoftonline.us/" + TENANT + "/oauth2/v2.0/token"},
            (401, "invalid_client", 700023),
        ),
        ({"aud": f"https://{LOGIN}/{other}/oauth2/v2.0/token"}, (401, "invalid_client", 700023)),
        ({"aud": None}, (401, "invalid_client", 700023)),
        ({"sub": other}, (400, "invalid_request", 50048)),
        ({"sub": other, "iss": other}, (401, "invalid_client", 700021)),
        ({"sub": None}, (400, "invalid_request", 50027)),
        ({"exp": None}, (400, "invalid_request", 50027)),
        ({"exp": "tomorrow"}, (400, "invalid_request", 50027)),
        ({"exp": True}, (400, "invalid_request", 50027)),
    ):
        assert refusal(ask(emulated, **claims)) == expected, claims


def test_refuses_an_assertion_outside_its_time_and_prints_a_missing_nbf_as_1970(emulated: Emulated) -> None:
    now = int(emulated.world.clock.now())
    late = ask(emulated, nbf=now - 7200, exp=now - 3600)
    assert refusal(late) == (401, "invalid_client", 700024)
    assert (
        "1970-01-01T00:00:00.0000000Z" in ask(emulated, nbf=None, exp=now - 3600).json()["error_description"]
    )
    assert refusal(ask(emulated, nbf=now + 3600, exp=now + 7200))[2] == 700024
    emulated.world.clock.advance(-3600)
    assert refusal(ask(emulated, nbf=now, exp=now + 600))[2] == 700024


@pytest.mark.parametrize("algorithm", ["none", "HS256", "ES256", "RS128", "", None, 7])
def test_refuses_every_other_algorithm(emulated: Emulated, algorithm: Any) -> None:
    text = ".".join([b64(json.dumps({"alg": algorithm}).encode()), b64(b"{}"), "AA"])
    assert refusal(emulated.token_request(client_assertion=text)) == (400, "invalid_request", 5002738)


def test_an_unknown_certificate_is_named_by_the_thumbprint_the_client_used(emulated: Emulated) -> None:
    stranger = certificate(rsa_key(1))
    answer = ask(emulated, head(emulated, **{"x5t#S256": None, "x5t": thumbprint(stranger, "x5t")}))
    assert refusal(answer) == (401, "invalid_client", 700027)
    shown = base64.urlsafe_b64decode(thumbprint(stranger, "x5t") + "=").hex().upper()
    assert f"The key was not found., Thumbprint of key used by client: '{shown}'" in answer.text


def test_a_digest_under_the_wrong_header_is_an_unknown_certificate(emulated: Emulated) -> None:
    for given in (
        {"x5t#S256": None, "x5t": thumbprint(emulated.certificate)},
        {"x5t#S256": thumbprint(emulated.certificate, "x5t")},
    ):
        assert refusal(ask(emulated, head(emulated, **given)))[2] == 700027


def test_no_thumbprint_at_all_is_a_malformed_token(emulated: Emulated) -> None:
    answer = ask(emulated, head(emulated, **{"x5t#S256": None}))
    assert refusal(answer) == (400, "invalid_request", 50027)
    assert "No certificate thumbprint specified in token header." in answer.text


def test_a_signature_by_another_key_or_with_another_salt_does_not_match(emulated: Emulated) -> None:
    claims = json.loads(base64.urlsafe_b64decode(emulated.assertion().split(".")[1] + "=="))
    for text in (
        sign(rsa_key(1), head(emulated), claims),
        sign(emulated.key, head(emulated), claims, salt=20),
    ):
        answer = emulated.token_request(client_assertion=text)
        assert refusal(answer) == (401, "invalid_client", 700027)
        assert "The provided signature value did not match the expected signature value." in answer.text
        assert "Found key 'Start=" in answer.text


def test_a_shortened_signature_fails_in_use(emulated: Emulated) -> None:
    first, second, third = emulated.assertion().split(".")
    answer = emulated.token_request(client_assertion=f"{first}.{second}.{third[:40]}")
    assert "use of the key to verify the signature failed" in answer.json()["error_description"]


def test_an_expired_registration_and_an_expired_certificate_have_their_own_errors(emulated: Emulated) -> None:
    past, future = "2020-01-01T00:00:00Z", "2099-01-01T00:00:00Z"
    emulated.save_app(keyCredentials=[key_credential(emulated.certificate, endDateTime=past)])
    answer = ask(emulated)
    assert refusal(answer)[2] == 700027
    assert "The key used is expired." in answer.text
    start = dt.datetime.now(dt.UTC) - dt.timedelta(days=9)
    emulated.certificate = certificate(emulated.key, start=start, days=1)
    emulated.save_app(keyCredentials=[key_credential(emulated.certificate, endDateTime=future)])
    assert refusal(ask(emulated)) == (401, "invalid_client", 1000502)
    emulated.save_app(
        keyCredentials=[key_credential(emulated.certificate, startDateTime=future, endDateTime=future)]
    )
    assert "not yet valid" in ask(emulated).json()["error_description"]


def test_a_certificate_works_only_once_it_has_propagated(emulated: Emulated) -> None:
    emulated.world.delays.propagation = 60
    added = emulated.world.clock.now()
    emulated.save_app(keyCredentials=[key_credential(emulated.certificate, addedAt=added)])
    assert refusal(ask(emulated))[2] == 700027
    emulated.world.clock.advance(61)
    assert ask(emulated).status_code == 200


def test_an_elliptic_certificate_is_registered_in_vain(emulated: Emulated) -> None:
    made = certificate(ec.generate_private_key(ec.SECP256R1()))  # type: ignore[arg-type]  # no RSA on purpose
    emulated.save_app(keyCredentials=[key_credential(made)])
    answer = ask(emulated, head(emulated, **{"x5t#S256": thumbprint(made)}))
    assert refusal(answer) == (400, "invalid_request", 5002730)


# Subject name and issuer


@pytest.fixture
def authority() -> tuple[x509.Certificate, Any]:
    key = rsa_key(2)
    return certificate(key, "Contoso CA", ca=True), key


def trusting(emulated: Emulated, name: str, *roots: x509.Certificate, revoked: tuple[str, ...] = ()) -> None:
    entry = {
        "authorityId": str(uuid.uuid4()),
        "subjectName": name,
        "authorityCertificates": x5c(*roots),
        "revokedCertificateIdentifiers": list(revoked),
    }
    emulated.save_app(keyCredentials=[], trustedCertificateSubjects=[entry])


def test_any_certificate_of_the_trusted_name_and_ca_signs_in(emulated: Emulated, authority: Any) -> None:
    trusting(emulated, "app.contoso.com", authority[0])
    leaf = certificate(emulated.key, "app.contoso.com", issuer=authority)
    single = x5c(leaf)[0]
    broken = "\n".join(single[i : i + 64] for i in range(0, len(single), 64))
    for given in (x5c(leaf, authority[0]), x5c(leaf), single, [broken]):
        header = {"alg": "PS256", "x5t#S256": thumbprint(leaf), "x5c": given}
        assert ask(emulated, header).status_code == 200


def test_other_names_other_cas_and_revoked_certificates_do_not(emulated: Emulated, authority: Any) -> None:
    trusting(emulated, "app.contoso.com", authority[0])
    leaf = certificate(emulated.key, "app.contoso.com", issuer=authority)
    other_name = certificate(emulated.key, "app.fabrikam.com", issuer=authority)
    own = certificate(emulated.key, "app.contoso.com")
    for given, code in (
        (x5c(other_name), 700030),
        (x5c(own), 7000213),
        ([], 700027),
        (x5c(authority[0], leaf), 700030),
    ):
        header = {"alg": "PS256", "x5t#S256": thumbprint(leaf), "x5c": given}
        assert refusal(ask(emulated, header))[2] == code
    digest = base64.urlsafe_b64decode(thumbprint(leaf, "x5t") + "=").hex()
    trusting(emulated, "app.contoso.com", authority[0], revoked=(digest,))
    assert refusal(ask(emulated, {"alg": "PS256", "x5c": x5c(leaf)}))[2] == 7000214


def test_a_leaf_signed_by_a_certificate_that_is_no_ca_is_not_trusted(
    emulated: Emulated, authority: Any
) -> None:
    trusting(emulated, "app.contoso.com", authority[0])
    middle_key = rsa_key(3)
    middle = certificate(middle_key, "someone", issuer=authority)
    leaf = certificate(emulated.key, "app.contoso.com", issuer=(middle, middle_key))
    assert refusal(ask(emulated, {"alg": "PS256", "x5c": x5c(leaf, middle)}))[2] == 7000213


# What is kept for people


def test_the_record_keeps_the_assertion_but_neither_signature_nor_secret(emulated: Emulated) -> None:
    text = emulated.assertion()
    emulated.token_request(client_assertion=text)
    emulated.token_request(client_secret="a-very-secret-word")
    kept = json.dumps(list(emulated.world.record))
    first, second = emulated.world.record
    assert first["assertion"]["claims"]["iss"] == CLIENT
    assert first["assertion"]["header"]["alg"] == "PS256"
    assert (first["status"], second["status"], second["aadsts"]) == (200, 401, 7000215)
    assert text.rpartition(".")[2] not in kept
    assert "a-very-secret-word" not in kept
    assert PRINCIPAL not in kept
