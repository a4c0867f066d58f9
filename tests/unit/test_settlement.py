"""The fill that an operator's word adds makes the average exactly what was said."""

from decimal import ROUND_HALF_UP, Decimal

from hypothesis import assume, given
from hypothesis import strategies as st

from api_contract.errors import InvalidRequest
from api_contract.order_rules import TICK, Settlement
from pulse_core.trading.settlement import what_lacks

prices = st.decimals(Decimal("0.0001"), Decimal(100_000), places=4)


@given(
    filled=st.integers(1, 10**6),
    price=prices,
    booked=st.lists(st.tuples(st.integers(1, 10**5), prices), max_size=5),
)
def test_with_the_fill_that_lacks_the_average_is_what_was_said(
    filled: int, price: Decimal, booked: list[tuple[int, Decimal]]
) -> None:
    assume(sum(quantity for quantity, _ in booked) < filled)
    try:
        lacking = what_lacks(Settlement(filled, price, absent=False, reason=""), 10**6, booked)
    except InvalidRequest:
        return  # No price of the others makes that average.

    assert lacking is not None
    trades = [*booked, lacking]
    value = sum((quantity * each for quantity, each in trades), Decimal(0))
    assert sum(quantity for quantity, _ in trades) == filled
    assert (value / filled).quantize(TICK, ROUND_HALF_UP) == price


def test_nothing_lacks_when_all_of_it_is_booked_or_nothing_more_was_filled() -> None:
    booked = [(5, Decimal("2500.05"))]

    assert what_lacks(Settlement(5, Decimal("2500.05"), absent=False, reason=""), 20, booked) is None
    assert what_lacks(Settlement(None, None, absent=True, reason="nothing more"), 20, booked) is None
