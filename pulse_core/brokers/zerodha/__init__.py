"""Zerodha's Kite Connect v3. Importing `broker` loads the official client; `postback` does without it."""
