"""The sandbox's rows: tables, conditions, custom values."""
