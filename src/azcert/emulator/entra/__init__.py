"""Entra ID: discovery and the token endpoint, read from the specification for itself."""
