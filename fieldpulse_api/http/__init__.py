"""One request in, one envelope out: settings, key, rate limit, transport, retries."""
