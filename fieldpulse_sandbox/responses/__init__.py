"""Bodies and envelopes of responses."""
