"""What can be traded."""
