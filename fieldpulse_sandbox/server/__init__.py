"""The server: the ASGI application, its gateway and endpoints, and the webhooks."""
