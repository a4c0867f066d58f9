"""What can be traded with each broker: its list of the day, kept as a whole, and what an order must keep of it."""
