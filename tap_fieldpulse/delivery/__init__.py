"""Pushes events to a receiver: the endpoint, signed requests, refused events."""
