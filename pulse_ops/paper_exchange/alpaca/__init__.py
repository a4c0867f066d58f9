"""A second wire of the paper exchange: the same ledger and faults behind the paths of Alpaca's Trading API v2."""
