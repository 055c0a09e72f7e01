"""A Singer tap for FieldPulse."""
