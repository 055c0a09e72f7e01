"""One stream in one run."""
