"""Each shape of a request or an answer in one place, with an example. `attribute`: what pulse calls it inside."""
