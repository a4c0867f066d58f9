"""Orders: place, read, steer; and what brokers post about them."""
