"""Outcomes that add up, the rejects file, the audit, the report."""
