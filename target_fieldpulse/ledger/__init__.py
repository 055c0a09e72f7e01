"""The ledger: which source key is which row, and which creates were sent without a known outcome."""
