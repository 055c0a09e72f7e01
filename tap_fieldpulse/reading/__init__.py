"""Selects the rows that a run reads, and keeps the bookmark."""
