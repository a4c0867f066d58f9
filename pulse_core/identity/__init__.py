"""Accounts, logins, API keys, and what was revoked."""
