"""Memory and time of tap and target from 100,000 to 1,000,000 rows: `make scale`."""
