"""Settings decide, code does not: files and variables become credentials and Azure clients."""
