"""Receives and stores webhook deliveries, and reads the rows that they name."""
