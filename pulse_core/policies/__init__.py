"""How an account's orders catch up where they do not say so."""
