"""Reads and writes the tables of events."""
