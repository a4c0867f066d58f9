"""What the core counts and times, by subject. It knows nothing of HTTP: who serves the metrics asks for them."""
