"""Reads and writes the table of kept answers."""
