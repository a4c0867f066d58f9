"""Halts: nothing new goes out, what works is called back, and a receipt tells what became of it."""
