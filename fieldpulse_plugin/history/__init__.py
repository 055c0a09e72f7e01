"""The history of runs: written by tap and target while they run, read by the command `fieldpulse`."""
