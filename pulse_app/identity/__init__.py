"""Accounts, sessions, API keys and revocations, for the gateway."""
