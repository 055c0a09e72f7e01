"""Timed claims live here, not in tests."""
