"""Reads and writes the tables of identity; no rule is decided here."""
