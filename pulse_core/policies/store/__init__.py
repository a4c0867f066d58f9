"""Reads and writes the policies of accounts."""
