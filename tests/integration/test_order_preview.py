"""An order that was previewed has the schedule that was shown, or is refused with what differs."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, date, datetime, time, timedelta
from decimal import Decimal
from random import Random

import pytest
from sqlalchemy import func, select

from api_contract.errors import InvalidRequest, MarketClosed, PlanChanged
from api_contract.order_rules import NewOrder
from api_contract.vocabulary import BrokerAccountState, OrderType, PlanWarning, Product, SessionRule, Side
from pulse_core import config, db, queue
from pulse_core.broker_accounts import directory
from pulse_core.instruments import current
from pulse_core.markets import files, hours, overrides
from pulse_core.markets.overrides import Span, Statement
from pulse_core.trading import schedule
from pulse_core.trading.order import costs, preview
from pulse_core.trading.order.accept import submit_order
from pulse_core.trading.order.costs import Money
from pulse_core.trading.order.preview import OrderPreview, preview_order
from pulse_core.trading.order.split import split_orders
from pulse_core.trading.tables import Order
from tests.support.broker import SimulatedBroker
from tests.support.factories import a_new_order, an_account, order, slices_of
from tests.support.instruments import a_future, a_share, in_force

INDIA = files.years()["NSE"][2026].time_zone
MONDAY = date(2026, 11, 30)
LOT = 65
ORDERS = 1000

pytestmark = pytest.mark.usefixtures("quiet")


def at(clock: str, day: date = MONDAY) -> datetime:
    return datetime.combine(day, time.fromisoformat(clock), INDIA).astimezone(UTC)


@pytest.fixture
def quiet(broker: SimulatedBroker, monkeypatch: pytest.MonkeyPatch) -> None:
    """No message reaches anybody, and nobody is asked about money."""
    for name in ("wake", "send", "send_soon"):
        monkeypatch.setattr(queue, name, lambda *_args, **_named: None)
    monkeypatch.setattr(preview, "money_of", lambda _row, _planned: Money())


@pytest.fixture
def market() -> Iterator[None]:
    """The paper exchange keeps the hours of the market."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PULSE_PAPER_SESSION", "market")
        patch.setenv("PULSE_EXCHANGES", "NSE,BSE,NFO,MCX")
        config.settings.cache_clear()
        hours.forget()
        yield
    config.settings.cache_clear()
    hours.forget()


def shown(previewed: OrderPreview) -> list[tuple[int, int, datetime]]:
    return [(one.sequence_number, one.quantity, one.scheduled_at) for one in previewed.slices]


def placed(account: str, new_order: NewOrder, previewed: OrderPreview, now: datetime) -> str:
    return submit_order(account, replace(new_order, plan_token=previewed.plan_token), now).order_id


def planned(order_id: str) -> list[tuple[int, int, datetime]]:
    return [(one.sequence_number, one.quantity, one.scheduled_at) for one in slices_of(order_id)]


def orders_in_the_table() -> int:
    with db.transaction() as session:
        return session.scalar(select(func.count()).select_from(Order)) or 0


def differences(refused: pytest.ExceptionInfo[PlanChanged]) -> list[dict[str, object]]:
    found = refused.value.details["differs"]
    assert isinstance(found, list)
    return found


def any_order(random: Random, now: datetime) -> NewOrder:
    num_splits = random.randint(2, 100)
    is_limit, in_lots = random.random() < 0.5, random.random() < 0.3
    shares = num_splits * random.randint(1, 40) + random.randint(0, num_splits)
    return a_new_order(
        instrument="NFO:NIFTY26DECFUT" if in_lots else random.choice(["NSE:RELIANCE", "BSE:RELIANCE"]),
        side=random.choice(list(Side)),
        total_quantity=shares * (LOT if in_lots else 1),
        num_splits=num_splits,
        duration_minutes=random.randint(1, 350),
        randomize=random.random() < 0.7,
        order_type=OrderType.LIMIT if is_limit else OrderType.MARKET,
        limit_price=Decimal(random.randint(200, 40_000)) / 2 if is_limit else None,
        start_at=now + timedelta(seconds=random.randint(0, 500_000)) if random.random() < 0.5 else None,
        session=random.choice([SessionRule.WAIT, SessionRule.AT_OPEN, SessionRule.WAIT]),
        product=Product.NRML if in_lots else Product.CNC,
    )


def test_a_thousand_orders_have_the_schedules_that_their_previews_showed(market: None) -> None:
    random, now, account = Random(20261130), at("10:00"), an_account()
    listed = [a_share(), a_share(exchange="BSE"), a_future(lot_size=LOT)]
    expected: dict[str, list[tuple[int, int, datetime]]] = {}
    with in_force(listed):
        current.forget()
        while len(expected) < ORDERS:
            new_order = any_order(random, now)
            try:
                previewed = preview_order(account, new_order, now)
            except MarketClosed:
                continue
            later = min(now + timedelta(seconds=random.randint(0, 300)), previewed.expires_at)
            with pytest.MonkeyPatch.context() as patch:
                # As many as one account has open; how many that are is not asked here.
                patch.setattr("pulse_core.trading.order.risk.room_for", lambda *_: None)
                expected[placed(account, new_order, previewed, later)] = shown(previewed)
        split_orders(list(expected), now)
    assert {order_id: planned(order_id) for order_id in expected} == expected
    assert any(len({quantity for _, quantity, _ in one}) > 2 for one in expected.values())


def test_a_preview_makes_nothing() -> None:
    account = an_account()

    previewed = preview_order(account, a_new_order(), at("10:00"))

    assert orders_in_the_table() == 0
    assert len(previewed.slices) == 5
    assert sum(one.quantity for one in previewed.slices) == 100
    assert previewed.expires_at == at("10:05")


def test_a_randomized_order_has_the_schedule_of_its_plan() -> None:
    account, new_order = an_account(), a_new_order(randomize=True)
    previewed = preview_order(account, new_order, at("10:00"))

    order_id = placed(account, new_order, previewed, at("10:01"))

    split_orders([order_id], at("10:01"))
    assert planned(order_id) == shown(previewed)


def test_an_order_begins_when_its_preview_said_and_is_made_when_it_came() -> None:
    account, new_order = an_account(), a_new_order()
    previewed = preview_order(account, new_order, at("10:00"))

    order_id = placed(account, new_order, previewed, at("10:04"))

    accepted = order(order_id)
    assert (accepted.start_at, accepted.end_at, accepted.created_at) == (at("10:00"), at("11:00"), at("10:04"))


def test_a_plan_lasts_until_its_second_slice_is_due_and_never_longer_than_five_minutes() -> None:
    account, short, long = an_account(), a_new_order(duration_minutes=4), a_new_order(duration_minutes=300)

    assert preview_order(account, short, at("10:00")).expires_at == at("10:01")
    assert preview_order(account, long, at("10:00")).expires_at == at("10:05")
    later = replace(long, start_at=at("14:00"))
    assert preview_order(account, later, at("10:00")).expires_at == at("10:05")


def test_an_old_plan_is_refused_and_leaves_no_row() -> None:
    account, new_order = an_account(), a_new_order()
    previewed = preview_order(account, new_order, at("10:00"))

    with pytest.raises(PlanChanged) as refused:
        placed(account, new_order, previewed, at("10:05:01"))

    assert differences(refused) == [
        {"field": "plan_token", "before": "2026-11-30T04:35:00.000000Z", "after": "2026-11-30T04:35:01.000000Z"}
    ]
    assert orders_in_the_table() == 0


def test_each_input_that_is_not_the_same_is_named() -> None:
    account, new_order = an_account(), a_new_order()
    previewed = preview_order(account, new_order, at("10:00"))
    other = replace(new_order, side=Side.SELL, num_splits=6, client_note="hedge", order_unique_key="another")

    with pytest.raises(PlanChanged) as refused:
        placed(account, other, previewed, at("10:01"))

    assert differences(refused) == [
        {"field": "order_unique_key", "before": new_order.order_unique_key, "after": "another"},
        {"field": "side", "before": "BUY", "after": "SELL"},
        {"field": "split_config.num_splits", "before": 5, "after": 6},
        {"field": "client_note", "before": None, "after": "hedge"},
    ]


def test_slices_that_hours_have_moved_are_shown_before_and_after(market: None) -> None:
    account = an_account()
    new_order = a_new_order(session=SessionRule.WAIT, duration_minutes=120)
    previewed = preview_order(account, new_order, at("10:00"))
    half = Statement([Span(time(9, 15), time(11, 0))])
    overrides.override_day("NSE", MONDAY, half, "half a day", "ops", at("10:00"))
    hours.forget()

    with pytest.raises(PlanChanged) as refused:
        placed(account, new_order, previewed, at("10:01"))

    numbers = [one.get("sequence_number") for one in differences(refused)]
    assert numbers[-2:] == [5, None]
    assert differences(refused)[-2]["before"] == {"scheduled_at": "2026-11-30T06:30:00.000000Z", "quantity": 20}
    assert differences(refused)[-1]["field"] == "end_at"


def test_a_change_of_hours_that_moves_no_slice_is_none(market: None) -> None:
    account, new_order = an_account(), a_new_order()
    previewed = preview_order(account, new_order, at("10:00"))
    half = Statement([Span(time(9, 15), time(13, 0))])
    overrides.override_day("NSE", MONDAY, half, "half a day", "ops", at("10:00"))
    hours.forget()

    order_id = placed(account, new_order, previewed, at("10:01"))

    split_orders([order_id], at("10:01"))
    assert planned(order_id) == shown(previewed)


def test_another_lot_of_the_instrument_changes_a_plan(market: None) -> None:
    account = an_account()
    terms = {"instrument": "NFO:NIFTY26DECFUT", "product": Product.NRML}
    new_order = a_new_order(**terms, total_quantity=7 * 130)
    with in_force([a_future(lot_size=65)]):
        current.forget()
        previewed = preview_order(account, new_order, at("10:00"))
    with in_force([a_future(lot_size=130)]):
        current.forget()
        with pytest.raises(PlanChanged) as refused:
            placed(account, new_order, previewed, at("10:01"))

    assert differences(refused)[0] == {
        "sequence_number": 1,
        "before": {"scheduled_at": "2026-11-30T04:30:00.000000Z", "quantity": 195},
        "after": {"scheduled_at": "2026-11-30T04:30:00.000000Z", "quantity": 260},
    }


def test_another_arithmetic_of_schedules_changes_a_plan(monkeypatch: pytest.MonkeyPatch) -> None:
    account, new_order = an_account(), a_new_order(randomize=True)
    previewed = preview_order(account, new_order, at("10:00"))
    monkeypatch.setattr(schedule, "TIME_JITTER", 0.2)

    with pytest.raises(PlanChanged) as refused:
        placed(account, new_order, previewed, at("10:01"))

    assert [one["field"] for one in differences(refused)] == ["schedule"]


def test_a_plan_is_that_of_one_account_and_cannot_be_made_up() -> None:
    account, other, new_order = an_account(), an_account(), a_new_order()
    previewed = preview_order(account, new_order, at("10:00"))
    forged = previewed.plan_token[:-8] + "AAAAAAA="

    for who, token in ((other, previewed.plan_token), (account, forged), (account, "AAAA"), (account, "=")):
        with pytest.raises(InvalidRequest) as refused:
            submit_order(who, replace(new_order, plan_token=token), at("10:01"))
        assert refused.value.details["field"] == "plan_token"
    assert orders_in_the_table() == 0


def test_a_repeat_finds_its_order_whatever_became_of_its_plan() -> None:
    account, new_order = an_account(), a_new_order()
    previewed = preview_order(account, new_order, at("10:00"))
    first = placed(account, new_order, previewed, at("10:01"))

    again = replace(new_order, plan_token=previewed.plan_token)
    for repeated in (again, new_order, replace(new_order, plan_token="AAAA")):
        submission = submit_order(account, repeated, at("10:30"))
        assert (submission.order_id, submission.is_new) == (first, False)


def test_a_plan_makes_one_order() -> None:
    account, new_order = an_account(), a_new_order()
    previewed = preview_order(account, new_order, at("10:00"))
    placed(account, new_order, previewed, at("10:01"))

    with pytest.raises(PlanChanged):
        placed(account, replace(new_order, order_unique_key="one-more"), previewed, at("10:01"))
    assert orders_in_the_table() == 1


def test_what_would_be_refused_is_refused_in_the_preview(market: None) -> None:
    with pytest.raises(MarketClosed):
        preview_order(an_account(), a_new_order(), at("22:00"))
    with pytest.raises(InvalidRequest):
        preview_order(an_account(), a_new_order(start_at=at("09:00")), at("10:00"))


def test_a_preview_warns_of_the_hours_of_its_market(market: None) -> None:
    account = an_account()

    def warnings(now: str, **changes: object) -> list[PlanWarning]:
        return [one.code for one in preview_order(account, a_new_order(**changes), at(now)).warnings]

    assert warnings("10:00") == []
    assert warnings("08:00", session=SessionRule.WAIT) == [PlanWarning.BEGINS_LATER]
    assert warnings("14:30", duration_minutes=120, session=SessionRule.WAIT) == [PlanWarning.PAUSES]
    assert warnings("14:30", duration_minutes=None, until_close=True) == [PlanWarning.SESSION_END]


def test_a_preview_warns_of_lots_that_are_not_shared_out_evenly() -> None:
    account = an_account()
    with in_force([a_future(exchange="NSE", symbol="NIFTY26DECFUT", lot_size=65)]):
        current.forget()
        terms = {"instrument": "NSE:NIFTY26DECFUT", "product": Product.NRML}
        uneven = preview_order(account, a_new_order(**terms, total_quantity=7 * 65), at("10:00"))
        even = preview_order(account, a_new_order(**terms, total_quantity=10 * 65), at("10:00"))

    assert [(one.code, one.details) for one in uneven.warnings] == [
        (PlanWarning.UNEVEN_LOTS, {"lot_size": 65, "lots": 7})
    ]
    assert even.warnings == []


def test_a_preview_warns_where_placing_would_meet_a_cap(monkeypatch: pytest.MonkeyPatch) -> None:
    account = an_account()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PULSE_OPEN_SLICES_PER_ACCOUNT", "4")
        config.settings.cache_clear()
        previewed = preview_order(account, a_new_order(), at("10:00"))
    config.settings.cache_clear()

    [warned] = previewed.warnings
    assert warned.code is PlanWarning.NO_ROOM
    assert warned.details == {"limit": "open_slices", "most": 4, "accepted": 0, "asked": 5, "left": 4}


def test_a_preview_warns_of_an_account_that_is_held(monkeypatch: pytest.MonkeyPatch) -> None:
    held = replace(directory.accounts_known()["paper"], state=BrokerAccountState.AWAITING_TOKEN)
    monkeypatch.setattr(directory, "accounts_known", lambda: {"paper": held})

    [warned] = preview_order(an_account(), a_new_order(), at("10:00")).warnings

    assert warned.code is PlanWarning.ACCOUNT_HELD


def test_money_that_is_short_is_warned_of(monkeypatch: pytest.MonkeyPatch) -> None:
    short = Money(margin=Decimal("100.5"), funds=Decimal("99"), holdings=150, promised=60)
    monkeypatch.setattr(preview, "money_of", lambda _row, _planned: short)

    warnings = preview_order(an_account(), a_new_order(side=Side.SELL), at("10:00")).warnings

    assert [one.code for one in warnings] == [PlanWarning.FUNDS_SHORT, PlanWarning.HOLDINGS_SHORT]
    assert warnings[1].details == {"total_quantity": 100, "holdings": 150, "free": 90}


def test_a_broker_that_tells_nothing_of_money_is_said_to(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preview, "money_of", costs.money_of)

    money = preview_order(an_account(), a_new_order(side=Side.SELL), at("10:00")).money

    assert (money.margin, money.charges, money.funds, money.holdings) == (None, None, None, None)
    assert [one.what for one in money.not_told] == ["price", "margin", "charges", "funds", "holdings"]


def test_a_token_holds_no_more_than_a_request_may() -> None:
    account = an_account()
    longest = a_new_order(client_note="ü" * 200, order_unique_key="k" * 64, instrument="NSE:" + "A" * 32)

    assert len(preview_order(account, longest, at("10:00")).plan_token) < 4096
