"""The command `fieldpulse`."""
