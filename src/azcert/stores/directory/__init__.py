"""azcert's own store on Linux and macOS: a folder of files that a person can read with openssl."""
