"""Keys in PKCS#11 tokens: smart cards and hardware security modules (extra ``azcert[pkcs11]``)."""
