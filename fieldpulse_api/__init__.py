"""What we know of FieldPulse. Knows nothing of Singer."""
