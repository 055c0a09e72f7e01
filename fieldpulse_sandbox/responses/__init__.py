"""Responses: bodies, the envelope, and the form of rows."""
