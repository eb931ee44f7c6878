"""App registrations through Microsoft Graph."""
