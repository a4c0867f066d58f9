"""Whose things are seen and changed: an account its own, and everybody's only for who says so."""

import pytest

from api_contract.errors import InvalidRequest, NotFound
from pulse_core.clock import utcnow
from pulse_core.owner import EveryAccount, OneAccount, Owner
from pulse_core.trading.order.cancel import cancel_order
from pulse_core.trading.order.pause import pause_order, resume_order
from pulse_core.trading.order.queries import order_origin, order_page, order_report, slice_list
from pulse_core.trading.store.orders import OrderFilters
from tests.support.factories import a_split_order, an_account, order


def listed(owner: Owner) -> list[str]:
    return [one.order_id for one in order_page(owner, OrderFilters(), 50, None).orders]


def test_every_account_reads_what_one_account_reads_and_another_does_not(clean_database: str) -> None:
    order_id = a_split_order()
    holder, stranger = OneAccount(order(order_id).account_id), OneAccount(an_account())

    for owner in (holder, EveryAccount()):
        assert listed(owner) == [order_id]
        assert order_report(owner, order_id).order_id == order_origin(owner, order_id).order_id == order_id
        assert slice_list(owner, order_id).slices
    assert listed(stranger) == []
    for read in (order_report, order_origin, slice_list):
        with pytest.raises(NotFound):
            read(stranger, order_id)


def test_every_account_changes_what_another_account_may_not(clean_database: str) -> None:
    order_id = a_split_order()
    now = order(order_id).start_at

    for change in (pause_order, resume_order, cancel_order):
        with pytest.raises(NotFound):
            change(OneAccount(an_account()), order_id, now=now, actor="acc_stranger")
        change(EveryAccount(), order_id, now=now, actor="acc_operator")


@pytest.mark.parametrize("forgotten", [None, ""])
def test_an_owner_that_was_left_out_is_not_everybody(clean_database: str, forgotten: object) -> None:
    order_id = a_split_order()

    with pytest.raises(AssertionError):
        cancel_order(forgotten, order_id, utcnow(), "acc_operator")  # type: ignore[arg-type]
    with pytest.raises(AssertionError):
        order_report(forgotten, order_id)  # type: ignore[arg-type]


def test_a_cursor_of_one_owner_is_none_of_another(clean_database: str) -> None:
    account = an_account()
    for _ in range(2):
        a_split_order(account_id=account)
    cursor = order_page(EveryAccount(), OrderFilters(), 1, None).next_cursor

    assert order_page(EveryAccount(), OrderFilters(), 1, cursor).next_cursor is None
    with pytest.raises(InvalidRequest, match="not one that this service gave out"):
        order_page(OneAccount(account), OrderFilters(), 1, cursor)
