"""How far a rotation has come: for one host, and for several that share a certificate."""
