"""Many accounts by a real Dagster and a real Meltano, on the sandbox: `python -m tests.accounts`."""
