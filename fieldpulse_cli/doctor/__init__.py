"""`fieldpulse doctor`: what is true of an account, found out by asking it."""
