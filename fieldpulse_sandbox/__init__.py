"""A local FieldPulse account behind a simulation of its API. It states what we believe, not what is.

Nothing here is shared with the client that it tests, except the catalogue of resources.
"""
