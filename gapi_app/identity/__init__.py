"""Logins, users and API keys."""
