"""Where each account is: one cell for all of them, or several, each a pulse with a database and workers of its own."""
