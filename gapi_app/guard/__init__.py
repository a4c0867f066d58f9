"""What keeps one client from harming the others: limits, slow clients, sizes, origins."""
