"""The Entra ID token protocol, without I/O."""
