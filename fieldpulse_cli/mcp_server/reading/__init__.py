"""What an agent reads: rows of the account, and answers of a warehouse."""
