"""Whether a change of the API breaks its clients."""
