"""The paper exchange: a simulated Zerodha in a process of its own, with a ledger of its own."""
