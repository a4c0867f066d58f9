"""What is done with a slice: place it once, watch it to its end, resolve what is in doubt."""
