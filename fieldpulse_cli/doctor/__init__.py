"""`fieldpulse doctor`: checks of an account's key, clock, time zone, lists, writes and stores."""
