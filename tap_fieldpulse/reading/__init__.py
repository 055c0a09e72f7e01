"""Which rows are read, and where a run may say that it ended."""
