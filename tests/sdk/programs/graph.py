"""Registrations with Microsoft's Graph SDK."""

import asyncio
import os
from pathlib import Path

from azure.identity.aio import DefaultAzureCredential
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding
from kiota_abstractions.base_request_configuration import RequestConfiguration
from msgraph import GraphServiceClient
from msgraph.generated.applications.applications_request_builder import ApplicationsRequestBuilder
from msgraph.generated.applications.item.add_password.add_password_post_request_body import (
    AddPasswordPostRequestBody,
)
from msgraph.generated.applications.item.application_item_request_builder import (
    ApplicationItemRequestBuilder,
)
from msgraph.generated.applications.item.remove_password.remove_password_post_request_body import (
    RemovePasswordPostRequestBody,
)
from msgraph.generated.models.application import Application
from msgraph.generated.models.key_credential import KeyCredential
from msgraph.generated.models.o_data_errors.o_data_error import ODataError
from msgraph.generated.models.password_credential import PasswordCredential
from msgraph.generated.models.service_principal import ServicePrincipal
from msgraph_core.requests.batch_request_builder import BatchRequestBuilder
from msgraph_core.requests.batch_request_content import BatchRequestContent
from msgraph_core.tasks.page_iterator import PageIterator

Query = ApplicationsRequestBuilder.ApplicationsRequestBuilderGetQueryParameters
ItemQuery = ApplicationItemRequestBuilder.ApplicationItemRequestBuilderGetQueryParameters


pem = Path(os.environ["AZURE_CLIENT_CERTIFICATE_PATH"]).read_bytes()


async def main() -> None:
    key = x509.load_pem_x509_certificate(pem).public_bytes(Encoding.DER)
    async with DefaultAzureCredential() as credential:
        graph = GraphServiceClient(credential)
        made = await graph.applications.post(Application(display_name="from the SDK"))
        application = graph.applications.by_application_id(made.id)
        asked = RequestConfiguration(
            query_parameters=Query(filter="displayName eq 'from the SDK'", select=["id", "displayName"])
        )
        found = await graph.applications.get(request_configuration=asked)
        print("found:", [each.display_name for each in found.value])
        await graph.service_principals.post(ServicePrincipal(app_id=made.app_id))
        principal = await graph.service_principals_with_app_id(made.app_id).get()
        print("principal:", principal.service_principal_names == [made.app_id])
        password = await application.add_password.post(
            AddPasswordPostRequestBody(password_credential=PasswordCredential(display_name="one"))
        )
        print("password:", password.secret_text.startswith(password.hint))
        credential_of_key = KeyCredential(type="AsymmetricX509Cert", usage="Verify", key=key)
        await application.patch(Application(key_credentials=[credential_of_key]))
        print("keys:", len((await application.get()).key_credentials))
        selected = RequestConfiguration(query_parameters=ItemQuery(select=["keyCredentials"]))
        known = await application.get(request_configuration=selected)
        print("bytes on $select:", known.key_credentials[0].key == key)
        batch = BatchRequestContent()
        for information in (
            application.to_get_request_information(),
            graph.applications.by_application_id(made.app_id).to_get_request_information(),
        ):
            batch.add_request_information(information)
        answers = await BatchRequestBuilder(graph.request_adapter).post(batch)
        print("batch:", sorted(each.status for each in answers.responses.values()))
        await application.remove_password.post(RemovePasswordPostRequestBody(key_id=password.key_id))
        print("passwords:", len((await application.get()).password_credentials))
        first = await graph.applications.get(
            request_configuration=RequestConfiguration(query_parameters=Query(top=1))
        )
        names: list[str] = []
        pages = PageIterator(first, graph.request_adapter)

        def keep(each: Application) -> bool:
            names.append(str(each.display_name))
            return True

        await pages.iterate(keep)
        print("pages:", sorted(names))
        await application.delete()
        try:
            await application.get()
        except ODataError as error:
            print("deleted:", error.error.code)


asyncio.run(main())
