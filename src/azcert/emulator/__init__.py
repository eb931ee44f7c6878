"""A local stand-in for Entra ID, Key Vault and Graph; never imports azcert.entra."""
