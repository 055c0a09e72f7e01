"""Faults on demand and at random, and how they are injected."""
