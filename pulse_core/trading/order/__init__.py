"""What is done with a parent order."""
