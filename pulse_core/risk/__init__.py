"""What an account may do at most, checked before anything of it goes on the wire."""
