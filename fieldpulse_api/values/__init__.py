"""Single values: times, money, numbers, text, custom fields, JSON. No I/O."""
