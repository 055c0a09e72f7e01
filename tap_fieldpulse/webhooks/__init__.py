"""Webhook deliveries: received, stored, emitted, and read by id."""
