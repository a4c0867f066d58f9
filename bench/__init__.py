"""The product measured beside its floor, on one machine in one run: `python -m bench`, or `make bench`."""
