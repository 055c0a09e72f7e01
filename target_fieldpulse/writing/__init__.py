"""Plans carried out: creates, updates, deletes, and creates of unknown outcome."""
