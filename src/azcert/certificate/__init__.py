"""What a certificate is: values, formats, chains, issuing."""
