"""Creates, updates, deletes and actions."""
