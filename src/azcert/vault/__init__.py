"""Key Vault secrets, kept in memory: fewer requests, and readers that outlive an outage."""
