"""Where orders are traded, and who may trade there."""
