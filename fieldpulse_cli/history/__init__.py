"""What ran, what it did, and what needs a person: `fieldpulse status` and `fieldpulse runs`."""
