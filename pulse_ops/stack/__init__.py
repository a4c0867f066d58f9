"""The whole of Pulse on one machine: embedded servers, a supervisor, and what an operator asks about them."""
