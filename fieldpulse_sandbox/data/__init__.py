"""The rows of the account: tables, conditions, custom values."""
