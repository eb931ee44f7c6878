"""One file per kind of source: from its URI to the certificate with its signer."""
