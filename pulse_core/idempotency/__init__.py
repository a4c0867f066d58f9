"""What clients' requests were answered, kept by their Idempotency-Key for a day."""
