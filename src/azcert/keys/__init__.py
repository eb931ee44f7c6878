"""One file per place a private key can live; each implements Signer."""
