"""What a record means for its row. Sends nothing."""
