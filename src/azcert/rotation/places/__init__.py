"""One file per kind of place in which a certificate is replaced."""
