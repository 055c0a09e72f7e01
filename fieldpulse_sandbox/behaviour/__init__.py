"""A switch for each open question about the API, and named combinations."""
