"""What happened to orders: names, numbers without a gap, feeds and webhooks."""
