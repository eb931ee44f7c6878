"""Key Vault's data plane: secrets, keys and certificates behind a token."""
