"""`fieldpulse import` and `fieldpulse move`."""
