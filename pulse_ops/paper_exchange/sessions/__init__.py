"""When the exchange takes orders, by its own clock."""
