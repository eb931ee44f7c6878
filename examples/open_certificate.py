"""Low level: open a certificate by path or by thumbprint, sign in with it, read a secret.

    python open_certificate.py [PATH | THUMBPRINT]

Reads AZURE_TENANT_ID, AZURE_CLIENT_ID and KEY_VAULT_NAME; without an argument the certificate is the one of
AZURE_CLIENT_CERTIFICATE_PATH. A thumbprint is looked up in the current user's store (`azcert import`).
"""

import os
import sys
from pathlib import Path

from azure.core.exceptions import ClientAuthenticationError
from azure.keyvault.secrets import SecretClient

from azcert import AzcertError, CertificateCredential, SelectionError


def main() -> int:
    name = sys.argv[1] if len(sys.argv) > 1 else os.environ["AZURE_CLIENT_CERTIFICATE_PATH"]
    certificate = name if Path(name).exists() else f"store:CurrentUser/My?thumbprint={name}"
    try:
        credential = CertificateCredential(
            os.environ["AZURE_TENANT_ID"], os.environ["AZURE_CLIENT_ID"], certificate=certificate
        )
    except SelectionError:
        print(f"[ERROR] No client certificate with thumbprint '{name}' was found.")
        return 1
    except AzcertError as error:  # no thumbprint, no certificate in the file, its key open to others, ...
        print(f"[ERROR] {error}")
        return 1

    vault = f"https://{os.environ['KEY_VAULT_NAME']}.vault.azure.net"
    with credential, SecretClient(vault, credential) as client:
        try:
            secret = client.get_secret("myTestSecret1")
        except ClientAuthenticationError as error:
            print(f"[ERROR] Authentication Failed. {error}")
            return 1
    print(f"Secret value is: {secret.value}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
