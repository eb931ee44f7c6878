"""azure-core TokenCredential, sync and async."""
