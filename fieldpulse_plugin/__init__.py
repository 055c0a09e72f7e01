"""Everything that tap and target share at their edges: settings, databases, locks, logs and exit statuses."""
