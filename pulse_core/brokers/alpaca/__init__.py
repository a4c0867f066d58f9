"""Alpaca's Trading API v2, for stocks of the United States. Not verified against a live account."""
