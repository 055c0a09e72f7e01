"""The recipes as a newcomer runs them, by a real Meltano on the sandbox: `python -m tests.recipes [RECIPE …]`."""
