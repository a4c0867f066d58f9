"""The accounts at brokers with which Pulse trades: who may use them, how they are reached, and how they stand."""
