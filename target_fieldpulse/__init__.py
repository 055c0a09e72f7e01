"""A Singer target for FieldPulse."""
