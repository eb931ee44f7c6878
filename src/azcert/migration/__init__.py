"""From a client secret to a certificate: the settings, the registration, and the order between."""
