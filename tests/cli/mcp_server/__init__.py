"""Tests of `fieldpulse mcp`."""
