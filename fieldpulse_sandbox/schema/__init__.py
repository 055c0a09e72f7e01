"""The schema of the account: columns, their rules, object types, forms of times."""
