"""What orders need and cost: rough rates of our own, in the shape of Kite's answers."""
