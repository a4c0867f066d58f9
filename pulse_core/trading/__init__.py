"""Parent orders and their slices: from acceptance to the last fill."""
