"""Whole lists out of pages that cannot be trusted."""
