"""What earlier runs saw: the snapshot, change events, deleted rows."""
