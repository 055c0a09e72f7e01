"""The ASGI application, its gateway, its routes and its webhooks."""
