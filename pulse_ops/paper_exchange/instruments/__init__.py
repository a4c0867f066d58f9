"""What the exchange trades: shares and funds from a list of ours, derivatives by the rules of their months."""
