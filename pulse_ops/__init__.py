"""What people run around the service: command line, local stack, judge, simulated exchange, API pages."""
