"""Carries plans out: creates, updates and deletes rows, and finds rows again whose create was not confirmed."""
