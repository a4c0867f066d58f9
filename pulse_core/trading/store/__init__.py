"""Reads and writes the tables of trading; the only place where a status changes."""
