"""msal's confidential client, with the certificate sent along."""

import os
from pathlib import Path

import msal
import requests
from cryptography import x509
from cryptography.hazmat.primitives import hashes

pem = Path(os.environ["AZURE_CLIENT_CERTIFICATE_PATH"]).read_text()
certificate = x509.load_pem_x509_certificate(pem.encode())
app = msal.ConfidentialClientApplication(
    os.environ["AZURE_CLIENT_ID"],
    authority=f"https://login.microsoftonline.com/{os.environ['AZURE_TENANT_ID']}",
    client_credential={
        "private_key": pem,
        "thumbprint": certificate.fingerprint(hashes.SHA1()).hex(),  # noqa: S303 - x5t
        "public_certificate": pem[pem.index("-----BEGIN CERTIFICATE") :],
    },
)
answer = app.acquire_token_for_client(["https://vault.azure.net/.default"])
assert "access_token" in answer, answer
url = f"https://{os.environ['KEY_VAULT_NAME']}.vault.azure.net/secrets/myTestSecret1?api-version=7.4"
got = requests.get(url, headers={"Authorization": f"Bearer {answer['access_token']}"}, timeout=10)
print("value:", got.json()["value"])
wrong = app.acquire_token_for_client(["https://no-such-resource.example/.default"])
print("error:", wrong["error_codes"])
