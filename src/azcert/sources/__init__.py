"""From a name to a certificate with its signer."""
