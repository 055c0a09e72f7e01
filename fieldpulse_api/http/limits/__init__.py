"""What limits requests: the rate of a key, shared by processes, and the requests of a month."""
