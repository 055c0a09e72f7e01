"""One run: records side by side, in order per key, and STATE behind acknowledged writes."""
