"""Builds Singer records from rows of the API."""
