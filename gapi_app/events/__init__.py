"""What happens to orders: live streams, pages, webhooks."""
