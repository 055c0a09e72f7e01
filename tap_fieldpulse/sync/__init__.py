"""Plans and runs the sync of one stream."""
