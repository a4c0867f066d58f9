"""Whole days of history in compressed files: written, read back, and only then removed from the database."""
