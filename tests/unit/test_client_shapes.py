"""The client states and reads every field that the public API has: a new one cannot be forgotten."""

import re
from dataclasses import fields
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from pathlib import Path
from typing import Any

import pytest

from api_contract import alarms, scopes
from api_contract import vocabulary as contract
from pulse_client import (
    alarm_models,
    halt_models,
    instrument_models,
    keys,
    models,
    operating,
    order_models,
    policies,
    preview_models,
    users,
    vocabulary,
    webhook_models,
)
from pulse_client.gateway import Gateway
from pulse_client.new_order import NewOrder, SplitConfig
from pulse_client.reading import Unreadable
from pulse_client.vocabulary import OrderType, Product, SessionRule, Side
from pulse_ops.openapi import text
from tests.support.gateway import FakeGateway, order_answer

SECONDS = re.compile(r"\.0+Z")
OPENAPI = Path(__file__).parents[2] / "docs" / "services" / "gapi-api" / "openapi.yaml"
SHAPES: dict[str, Any] = text.read(OPENAPI.read_text())["components"]["schemas"]


@pytest.mark.parametrize("shape", [NewOrder, SplitConfig, operating.Settlement], ids=lambda shape: shape.__name__)
def test_every_field_of_a_request_can_be_stated(shape: Any) -> None:
    assert {one.name for one in fields(shape)} == SHAPES[shape.__name__]["properties"].keys()


@pytest.mark.parametrize(
    ("answer", "name"),
    [
        (models.Me, "Me"),
        (models.Limits, "Limits"),
        (models.Limit, "Limit"),
        (models.SecondFactor, "SecondFactor"),
        (models.Enrolment, "Enrolment"),
        (models.RecoveryCodes, "RecoveryCodes"),
        (models.Installation, "Installation"),
        (models.InstallationLimits, "InstallationLimits"),
        (models.Range, "Range"),
        (order_models.Arrival, "Arrival"),
        (order_models.Level, "Level"),
        (order_models.Late, "Late"),
        (models.AccountLimits, "AccountLimits"),
        (models.RiskLimits, "RiskLimits"),
        (policies.AccountPolicy, "AccountPolicy"),
        (policies.CatchUpPolicy, "CatchUpPolicy"),
        (policies.PolicyInForce, "PolicyInForce"),
        (models.LimitsUsed, "LimitsUsed"),
        (models.LimitsLeft, "LimitsLeft"),
        (models.NotEnforced, "NotEnforced"),
        (order_models.Order, "Order"),
        (order_models.OrderSnapshot, "OrderSnapshot"),
        (order_models.SplitConfig, "Split"),
        (models.Market, "Market"),
        (instrument_models.Instrument, "Instrument"),
        (instrument_models.InstrumentPage, "InstrumentPage"),
        (instrument_models.InstrumentLoad, "InstrumentLoad"),
        (instrument_models.InstrumentLoadList, "InstrumentLoadList"),
        (models.Phase, "Phase"),
        (models.Stretch, "Stretch"),
        (order_models.Exposure, "Exposure"),
        (order_models.Held, "Held"),
        (order_models.OrderPage, "OrderPage"),
        (order_models.Slice, "Slice"),
        (preview_models.OrderPreview, "OrderPreview"),
        (preview_models.PlannedSlice, "PlannedSlice"),
        (preview_models.Warned, "PlanWarning"),
        (preview_models.Money, "Money"),
        (preview_models.Charges, "Charges"),
        (preview_models.Untold, "Untold"),
        (order_models.SliceError, "SliceError"),
        (order_models.SliceList, "SliceList"),
        (order_models.Fill, "Fill"),
        (order_models.FillPage, "FillPage"),
        (models.Event, "Event"),
        (operating.Audit, "Audit"),
        (keys.Key, "Key"),
        (keys.MadeKey, "MadeKey"),
        (keys.KeyPage, "KeyList"),
        (users.User, "User"),
        (users.UserPage, "UserList"),
        (users.Offboarded, "Offboarded"),
        (models.EventPage, "EventPage"),
        (models.MergedEvent, "MergedEvent"),
        (models.MergedEventPage, "MergedEventPage"),
        (alarm_models.Alarm, "Alarm"),
        (alarm_models.AlarmPage, "AlarmPage"),
        (alarm_models.AlarmHistory, "AlarmHistory"),
        (alarm_models.AlarmHappening, "AlarmHappening"),
        (alarm_models.AlarmEvent, "AlarmEvent"),
        (alarm_models.AlarmEventPage, "AlarmEventPage"),
        (halt_models.Halt, "Halt"),
        (halt_models.HaltedShare, "HaltedShare"),
        (halt_models.HaltPage, "HaltPage"),
        (halt_models.HaltedSlice, "HaltedSlice"),
        (halt_models.HaltedSlicePage, "HaltedSlicePage"),
        (webhook_models.Webhook, "Webhook"),
        (webhook_models.MadeWebhook, "MadeWebhook"),
        (webhook_models.WebhookList, "WebhookList"),
        (webhook_models.WebhookPage, "WebhookPage"),
        (webhook_models.Delivery, "Delivery"),
        (webhook_models.DeliveryPage, "DeliveryPage"),
    ],
    ids=lambda one: one if isinstance(one, str) else "",
)
def test_every_field_of_an_answer_is_read(answer: type[models.Answer], name: str) -> None:
    assert {one.name for one in fields(answer)} == SHAPES[name]["properties"].keys()


@pytest.mark.parametrize(
    "words", [one for one in vars(vocabulary).values() if isinstance(one, type) and one is not StrEnum]
)
def test_every_word_of_the_contract_is_known(words: type[StrEnum]) -> None:
    (same,) = (getattr(where, words.__name__) for where in (contract, alarms, scopes) if hasattr(where, words.__name__))
    assert {one.name: one.value for one in words} == {one.name: one.value for one in same}


def test_what_has_ended_is_what_the_contract_says() -> None:
    assert {str(one) for one in vocabulary.FINAL_ORDERS} == {str(one) for one in contract.FINAL_ORDERS}
    assert {str(one) for one in vocabulary.FINAL_SLICES} == {str(one) for one in contract.FINAL_SLICES}


def test_what_a_newer_service_adds_is_kept() -> None:
    told = order_answer(1, status="DREAMING", urgency=1.5)
    order = order_models.Order.read(told)
    assert (order.status, order.is_final) == ("DREAMING", False)
    assert order.as_json() == {
        name: SECONDS.sub("Z", one) if isinstance(one, str) else one for name, one in told.items()
    }


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("total_quantity", "5"),
        ("total_quantity", True),
        ("average_price", 1402.35),
        ("average_price", "dear"),
        ("created_at", "2026-03-02T04:00:00"),
        ("created_at", "now"),
        ("split_config", None),
        ("slices", []),
        ("exposure", {"filled": 1}),
    ],
)
def test_an_answer_of_another_shape_is_not_taken(field: str, value: object) -> None:
    with pytest.raises(Unreadable, match=field):
        order_models.Order.read(order_answer(1, **{field: value}))


def test_an_order_leaves_with_every_term_that_was_stated(gateway: FakeGateway) -> None:
    Gateway(gateway.url, gateway.token).place(
        NewOrder(
            order_unique_key="monday-1",
            instrument="NSE:RELIANCE",
            side=Side.BUY,
            total_quantity=100,
            split_config=SplitConfig(5, 60, randomize=False),
            order_type=OrderType.LIMIT,
            limit_price=Decimal("2510.50"),
            start_at=datetime(2026, 3, 2, 4, 0, tzinfo=UTC),
            session=SessionRule.WAIT,
            product=Product.MIS,
            slice_timeout_seconds=120,
            client_note="rebalance, leg 2",
            broker_account="kite-two",
        )
    )

    [sent] = gateway.calls("POST", "/api/orders")
    assert sent.body == {
        "order_unique_key": "monday-1",
        "instrument": "NSE:RELIANCE",
        "side": "BUY",
        "total_quantity": 100,
        "split_config": {"num_splits": 5, "duration_minutes": 60, "randomize": False},
        "order_type": "LIMIT",
        "limit_price": "2510.50",
        "start_at": "2026-03-02T04:00:00Z",
        "session": "wait",
        "product": "MIS",
        "slice_timeout_seconds": 120,
        "client_note": "rebalance, leg 2",
        "broker_account": "kite-two",
    }
