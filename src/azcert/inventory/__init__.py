"""Every credential of a tenant's app registrations: read, kept while reading, judged and written."""
