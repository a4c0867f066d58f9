"""Reads and writes the limits of accounts."""
