"""Accounts at brokers, for operators and admins."""
