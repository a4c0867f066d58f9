"""Which call of a broker's account goes when, so that its limits hold and nobody waits for somebody else's rush."""
