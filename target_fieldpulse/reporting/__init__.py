"""Reports what became of the records: outcomes that add up, the rejects file, the audit, the report."""
