"""Behaviour switches, and profiles that combine them."""
