"""What was sent for each record: pending, written, uncertain."""
