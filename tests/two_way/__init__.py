"""A CRM and FieldPulse, kept in step by the target in one direction and the tap in the other."""
