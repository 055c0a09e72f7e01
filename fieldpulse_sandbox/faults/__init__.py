"""Faults: what can go wrong with a request, and how it is injected."""
