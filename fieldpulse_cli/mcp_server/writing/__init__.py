"""What an agent writes: a plan first, and then exactly that."""
