"""Halts, for clients."""
