"""The project's own tasks, run by make."""
