"""Keys in a TPM 2.0: persistent handles and TSS2 key files (extra ``azcert[tpm]``)."""
