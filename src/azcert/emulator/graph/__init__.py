"""Microsoft Graph's registrations: applications, service principals and their credentials."""
