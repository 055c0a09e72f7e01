"""`fieldpulse events`: polls for changes, and pushes their events on."""
