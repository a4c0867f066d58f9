"""What Alpaca says of an account's money and shares, read strictly: a figure in doubt is none.

Errors are ValueError, KeyError, TypeError and InvalidOperation; the broker turns each into NotTold.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

_NO_POSITION = 40410000


def buying_power(found: object) -> Decimal:
    """That of GET /v2/account."""
    return _amount(_mapping(found)["buying_power"])


def shares(found: object, symbol: str, *, is_there: bool) -> int:
    """Whole shares of GET /v2/positions/{symbol}, those in open orders among them; a clear answer of none is 0."""
    position = _mapping(found)
    if not is_there:
        # A page that is not there is no answer about a position.
        if position["code"] != _NO_POSITION:
            raise ValueError("no clear answer about the position")
        return 0
    if position["symbol"] != symbol:
        raise ValueError("a position in another symbol")
    return max(int(_amount(position["qty"])), 0)


def _mapping(found: object) -> Mapping[str, Any]:
    if not isinstance(found, Mapping):
        raise TypeError("not an object")
    return found


def _amount(text: object) -> Decimal:
    if not isinstance(text, str):
        raise TypeError("an amount is not a text")
    amount = Decimal(text)
    if not amount.is_finite():
        raise ValueError("an amount is not an amount")
    return amount
