"""The account at the exchange: who it is, what it has."""
