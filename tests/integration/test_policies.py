"""How an account's orders catch up that do not say so."""

from dataclasses import replace

import pytest
from sqlalchemy import text

from api_contract.errors import InvalidRequest, NotFound, PlanChanged
from api_contract.policy_rules import POLICY, CatchUpPolicy
from api_contract.vocabulary import AtEnd, CatchUp, Leftover
from pulse_core import db
from pulse_core.clock import utcnow
from pulse_core.owner import OneAccount
from pulse_core.policies.setting import policy_of, set_policy
from pulse_core.trading.order.accept import submit_order
from pulse_core.trading.order.preview import preview_order
from pulse_core.trading.order.queries import order_report
from tests.support.factories import a_new_order, an_account, order

OWN = CatchUpPolicy(CatchUp.BURST, 2, 30, Leftover.DROP, AtEnd.MARKET)

pytestmark = pytest.mark.usefixtures("broker")


@pytest.fixture
def account() -> str:
    account_id = an_account()
    set_policy(account_id, OWN, account_id, utcnow())
    return account_id


def test_an_order_that_states_nothing_catches_up_as_its_account_says(account: str) -> None:
    now = utcnow()
    order_id = submit_order(account, a_new_order(), now).order_id

    told = order_report(OneAccount(account), order_id)
    assert CatchUpPolicy(*(getattr(told, name) for name in POLICY)) == OWN
    assert order(order_id).replan_at == order(order_id).end_at + (order(order_id).end_at - now) / 2
    assert order(submit_order(an_account(), a_new_order(), now).order_id).catch_up is CatchUp.SPREAD


def test_what_an_order_states_counts_before_its_account(account: str) -> None:
    stated = a_new_order(catch_up=CatchUp.SKIP, at_end=AtEnd.LEAVE)

    row = order(submit_order(account, stated, utcnow()).order_id)

    assert (row.catch_up, row.at_end, row.replan_at) == (CatchUp.SKIP, AtEnd.LEAVE, None)
    assert (row.max_slice_multiple, row.extend_minutes, row.leftover) == (2, 30, Leftover.DROP)


def test_a_repeat_finds_its_order_whatever_the_account_says_by_now(account: str) -> None:
    new_order = a_new_order()
    first = submit_order(account, new_order, utcnow())
    set_policy(account, CatchUpPolicy(), account, utcnow())

    again = submit_order(account, new_order, utcnow())

    assert (again.order_id, again.is_new) == (first.order_id, False)
    assert order(first.order_id).catch_up is CatchUp.BURST


def test_a_preview_tells_it_and_holds_the_order_to_it(account: str) -> None:
    new_order, now = a_new_order(), utcnow()
    previewed = preview_order(account, new_order, now)
    assert CatchUpPolicy(*(getattr(previewed, name) for name in POLICY)) == OWN
    planned = replace(new_order, plan_token=previewed.plan_token)

    set_policy(account, replace(OWN, catch_up=CatchUp.SPREAD), account, now)

    with pytest.raises(PlanChanged) as refused:
        submit_order(account, planned, now)
    assert refused.value.details["differs"] == [{"field": "catch_up", "before": "burst", "after": "spread"}]
    set_policy(account, OWN, account, now)
    assert submit_order(account, planned, now).is_new


def test_what_is_left_out_is_as_for_all_and_each_change_is_written_down(account: str) -> None:
    found = set_policy(account, CatchUpPolicy(extend_minutes=5), "an admin", utcnow())
    assert (found.in_force.catch_up, found.in_force.extend_minutes) == (CatchUp.SPREAD, 5)
    assert policy_of(account) == found
    set_policy(account, CatchUpPolicy(extend_minutes=5), "an admin", utcnow())

    with db.transaction() as session:
        rows = session.execute(text("SELECT detail FROM audit_entries WHERE action = 'account.policy_changed'"))
        told = [row.detail for row in rows]
    assert len(told) == 2
    assert (told[1]["catch_up"], told[1]["extend_minutes"]) == ("burst -> None", "30 -> 5")


def test_what_cannot_be_changes_nothing(account: str) -> None:
    for policy in (CatchUpPolicy(max_slice_multiple=11), CatchUpPolicy(extend_minutes=-1)):
        with pytest.raises(InvalidRequest):
            set_policy(account, policy, account, utcnow())
    with pytest.raises(NotFound):
        set_policy("acc_01M83H5T3ZC6N2GQ1W9J8X4K7B", OWN, account, utcnow())
    assert policy_of(account).own == OWN
