"""A client of the public API: what the command line uses, over HTTP like anybody else's."""
