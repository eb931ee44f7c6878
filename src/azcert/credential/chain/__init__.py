"""The default chain: the environment's certificate from any source, then azure-identity's own chain."""
