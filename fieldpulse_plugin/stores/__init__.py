"""Where runs keep what must survive them: databases and private files, their locks and their waits."""
