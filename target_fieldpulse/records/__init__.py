"""A Singer record, parsed once, and its values in the API's form."""
