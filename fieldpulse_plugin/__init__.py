"""What both plugins do at their edges: settings, exit statuses, stores, run locks."""
