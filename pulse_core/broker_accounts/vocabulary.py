"""The words of broker accounts."""

from api_contract.vocabulary import BrokerAccountState

__all__ = ["PAPER", "BrokerAccountState"]

# The account at the paper exchange, which every installation has.
PAPER = "paper"
