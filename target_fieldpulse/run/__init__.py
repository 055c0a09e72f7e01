"""One run: records are written concurrently, in order per key, and each STATE waits for the records before it."""
