"""Rate limits that several machines share, through Redis or PostgreSQL."""
