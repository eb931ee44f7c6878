"""Everything SecretClient can do, with Microsoft's own credential, as any program does it."""

import os

from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.identity import CertificateCredential
from azure.keyvault.secrets import SecretClient

credential = CertificateCredential(
    os.environ["AZURE_TENANT_ID"], os.environ["AZURE_CLIENT_ID"], os.environ["AZURE_CLIENT_CERTIFICATE_PATH"]
)
vault = f"https://{os.environ['KEY_VAULT_NAME']}.vault.azure.net"

with credential, SecretClient(vault, credential) as client:
    print("value:", client.get_secret("myTestSecret1").value)
    first = client.set_secret("color", "red", content_type="text/plain", tags={"a": "1"})
    second = client.set_secret("color", "green")
    assert client.get_secret("color").value == "green"
    assert client.get_secret("color", first.properties.version).value == "red"
    versions = {each.version for each in client.list_properties_of_secret_versions("color")}
    assert versions == {first.properties.version, second.properties.version}
    client.update_secret_properties("color", enabled=False)
    try:
        client.get_secret("color")
    except HttpResponseError as error:
        assert error.status_code == 403
        print("disabled:", error.error and error.error.code)
    client.update_secret_properties("color", enabled=True)
    backup = client.backup_secret("color")
    assert {each.name for each in client.list_properties_of_secrets()} == {"color", "myTestSecret1"}
    client.begin_delete_secret("color", _polling_interval=0).result()
    assert [each.name for each in client.list_deleted_secrets()] == ["color"]
    client.begin_recover_deleted_secret("color", _polling_interval=0).result()
    client.begin_delete_secret("color", _polling_interval=0).wait()
    assert client.get_deleted_secret("color").name == "color"
    client.purge_deleted_secret("color")
    try:
        client.get_secret("color")
    except ResourceNotFoundError as error:
        print("purged:", error.error and error.error.code)
    client.restore_secret_backup(backup)
    print("restored:", client.get_secret("color").value)
