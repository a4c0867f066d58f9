"""What the exchange refuses in an order that is well formed, in Kite's words where they are known."""
