"""The Airbyte manifest in Airbyte's own runtimes; `make airbyte` runs it."""
