"""Collections of certificates that can be searched: azcert's own, .NET's and Windows'."""
