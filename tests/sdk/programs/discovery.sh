# curl, which reads HTTPS_PROXY and CURL_CA_BUNDLE.
set -e
authority="https://login.microsoftonline.com/$AZURE_TENANT_ID"
curl --silent --show-error --fail "$authority/v2.0/.well-known/openid-configuration" | grep --only-matching '"token_endpoint":"[^"]*"'
curl --silent --output /dev/null --write-out 'status %{http_code}\n' "https://$KEY_VAULT_NAME.vault.azure.net/secrets/myTestSecret1?api-version=7.4"
curl --silent --output /dev/null https://example.com/ || echo "refused: $?"
curl --silent --cacert /etc/ssl/certs/ca-certificates.crt --output /dev/null https://login.microsoftonline.com/ || echo "untrusted: $?"
