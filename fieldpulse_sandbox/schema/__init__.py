"""The shapes of the sandbox's tables."""
