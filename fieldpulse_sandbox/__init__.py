"""A local FieldPulse account behind a simulation of the API. It states what we believe about the API.

It shares only the catalogue of resources with the client that it tests.
"""
