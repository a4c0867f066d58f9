"""After a database was restored: hold all sending, and find what it has forgotten."""
