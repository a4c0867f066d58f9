"""What both HTTP services speak, stated once. Imports nothing of either, and nothing of the core."""
