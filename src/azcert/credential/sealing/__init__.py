"""Tokens at rest: how they are sealed (`box`), and where the key for it comes from (one file per origin)."""
