"""Zerodha's Kite Connect v3. Importing `broker` loads the official client; the others do without it."""
