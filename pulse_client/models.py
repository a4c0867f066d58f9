"""What the public API answers."""

from collections.abc import Mapping
from dataclasses import field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from pulse_client.reading import Answer
from pulse_client.vocabulary import (
    FINAL_ORDERS,
    FINAL_SLICES,
    AlarmCode,
    AlarmStatus,
    BrokerAccountState,
    DeliveryKind,
    DeliveryStatus,
    HoldReason,
    OrderResult,
    OrderStatus,
    OrderType,
    Product,
    Role,
    SessionRule,
    Side,
    SliceStatus,
    WebhookFeed,
    WebhookStatus,
)


class AccessToken(Answer):
    """`expires_in` is in seconds. `must_enrol`: it opens nothing but the set-up of a second factor."""

    access_token: str = field(repr=False)
    token_type: str
    expires_in: int
    must_enrol: bool = False


class SecondFactor(Answer):
    is_on: bool
    since: datetime | None
    recovery_codes_left: int
    is_required: bool


class Enrolment(Answer):
    """A secret for an authenticator app, which counts once it is confirmed."""

    secret: str = field(repr=False)
    otpauth_uri: str = field(repr=False)
    digits: int
    period_seconds: int
    expires_at: datetime


class RecoveryCodes(Answer):
    recovery_codes: list[str] = field(repr=False)


class Limit(Answer):
    """So many in a window."""

    limit: int
    window_seconds: int


class Limits(Answer):
    """How often the account may ask, None without a limit, and how many streams it may have open."""

    requests: Limit | None
    new_orders: Limit | None
    event_streams: int


class Me(Answer):
    """Whom the token speaks for. `login_ends_at` is None for an API key, whose id is `key_id`."""

    account_id: str
    username: str
    role: Role
    scopes: list[str]
    key_id: str | None
    login_ends_at: datetime | None
    limits: Limits


class Range(Answer):
    """Both ends are included."""

    min: int
    max: int


class InstallationLimits(Answer):
    """What an order may ask for, and how often the broker is called, None without a limit."""

    total_quantity: Range
    num_splits: Range
    duration_minutes: Range
    slice_timeout_seconds: Range
    start_within_days: int
    broker_calls_per_second: int | None
    broker_calls_per_minute: int | None
    broker_calls_per_day: int | None


class Installation(Answer):
    """What is traded, where, and within which limits; `is_paper`: no money moves."""

    broker_account: str
    broker: str
    is_paper: bool
    exchanges: list[str]
    products: list[Product]
    default_product: Product
    order_types: list[OrderType]
    limits: InstallationLimits
    time_zone: str
    version: str


class RiskLimits(Answer):
    """What an account may do at most, each None where nothing is limited."""

    order_quantity: int | None = None
    order_worth: Decimal | None = None
    day_quantity: int | None = None
    day_worth: Decimal | None = None
    open_orders: int | None = None
    orders_per_minute: int | None = None
    price_collar_percent: Decimal | None = None
    volume_share_percent: Decimal | None = None
    instruments: list[str] | None = None
    products: list[Product] | None = None


class LimitsUsed(Answer):
    """What counts for the broker's day, is open, and was placed within the last minute."""

    day_quantity: int
    day_worth: Decimal
    open_orders: int
    orders_per_minute: int


class LimitsLeft(Answer):
    """What is left of each, None without a limit."""

    day_quantity: int | None
    day_worth: Decimal | None
    open_orders: int | None
    orders_per_minute: int | None


class NotEnforced(Answer):
    """A limit that cannot be checked, and why, in a sentence."""

    limit: str
    reason: str


class AccountLimits(Answer):
    """What was set for an account, what holds for it with a broker account, and what of that is left of the day."""

    account_id: str
    broker_account: str
    day_ends_at: datetime
    own: RiskLimits
    in_force: RiskLimits
    used: LimitsUsed
    left: LimitsLeft
    not_enforced: list[NotEnforced]


class Stretch(Answer):
    """Orders are taken from `start` on, and no more at `end`."""

    start: datetime
    end: datetime


class Phase(Answer):
    name: str
    opens_at: datetime
    closes_at: datetime
    takes: list[OrderType]


class Market(Answer):
    """A day of an exchange, closed without phases; `is_kept`: orders have to keep these hours at this installation."""

    exchange: str
    day: date
    day_name: str | None
    is_override: bool
    is_kept: bool
    phases: list[Phase]
    cut_offs: Mapping[Product, datetime]
    next_session: Stretch | None
    valid_until: date
    time_zone: str | None = None


class BrokerAccount(Answer):
    """Where orders are traded; `is_live`: with real money. `is_default`: those that name no account."""

    name: str
    broker: str
    is_live: bool
    is_default: bool
    state: BrokerAccountState
    reason: str | None
    state_since: datetime


class BrokerAccountList(Answer):
    broker_accounts: list[BrokerAccount]


class Placed(Answer):
    """An accepted order; `replayed` when an earlier call with the same key had made it."""

    order_id: str
    order_unique_key: str
    replayed: bool = False


class SplitConfig(Answer):
    num_splits: int
    duration_minutes: int
    randomize: bool
    until_close: bool


class Exposure(Answer):
    filled: int
    working: int
    on_its_way: int
    unknown: int
    unsent: int


class Held(Answer):
    """Why nothing of an order is sent for now, with the broker's words, and what ends that, in a sentence."""

    reason: HoldReason
    since: datetime
    message: str | None
    ended_by: str


class Level(Answer):
    price: Decimal
    quantity: int


class Arrival(Answer):
    """What its instrument stood at just after an order was accepted; `bids` and `asks` best first, five at most."""

    taken_at: datetime
    quoted_at: datetime | None
    last_price: Decimal
    bid: Decimal | None
    ask: Decimal | None
    volume: int | None
    bids: list[Level]
    asks: list[Level]


class Order(Answer):
    """A parent order; `slices` counts its slices by status."""

    order_id: str
    order_unique_key: str
    account_id: str
    instrument: str
    side: Side
    total_quantity: int
    split_config: SplitConfig
    broker_account: str
    order_type: OrderType
    limit_price: Decimal | None
    start_at: datetime
    end_at: datetime
    session: SessionRule
    product: Product | None
    slice_timeout_seconds: int | None
    client_note: str | None
    status: OrderStatus
    result: OrderResult | None
    skip_reason: str | None
    filled_quantity: int
    leaves_quantity: int
    average_price: Decimal | None
    exposure: Exposure
    slices: Mapping[SliceStatus, int]
    next_slice_at: datetime | None
    created_at: datetime
    updated_at: datetime
    finished_at: datetime | None
    currency: str | None = None
    held: Held | None = None
    arrival: Arrival | None = None

    @property
    def is_final(self) -> bool:
        return self.status in FINAL_ORDERS

    @property
    def is_filled(self) -> bool:
        return self.result is OrderResult.FILLED

    @property
    def finished_slices(self) -> int:
        return sum(count for status, count in self.slices.items() if status in FINAL_SLICES)


class OrderSnapshot(Order):
    """An order, and the last event of it that it shows: those after it are news."""

    last_event_id: int


class OrderPage(Answer):
    """Orders, newest first; `next_cursor` is None on the last page.

    `last_event_id` is the account's last event that they show, None for orders of several accounts.
    """

    orders: list[Order]
    next_cursor: str | None
    last_event_id: int | None


class SliceError(Answer):
    code: str
    message: str | None


class Slice(Answer):
    """`planned_quantity` is from before it was lowered, if it was; `late_ms` from its time until it was last sent."""

    slice_id: str
    sequence_number: int
    quantity: int
    planned_quantity: int
    scheduled_at: datetime
    status: SliceStatus
    sent_at: datetime | None
    late_ms: int | None
    attempts: int
    broker_order_id: str | None
    filled_quantity: int
    average_price: Decimal | None
    error: SliceError | None
    last_price_before: Decimal | None = None


class SliceList(Answer):
    """Slices in their sequence, and the last event of their order that they show."""

    slices: list[Slice]
    last_event_id: int


class Fill(Answer):
    """A trade at the broker, of the slice with this number."""

    slice_id: str
    sequence_number: int
    broker_order_id: str
    trade_id: str
    quantity: int
    price: Decimal
    traded_at: datetime
    recorded_at: datetime
    settled_by: str | None


class FillPage(Answer):
    """Trades in the order of their booking; `next_cursor` is None on the last page."""

    fills: list[Fill]
    next_cursor: str | None


class Event(Answer):
    """Something that happened to an order or to one of its slices; `event_id` rises from event to event."""

    event_id: int
    type: str
    order_id: str
    slice_id: str | None
    at: datetime
    from_status: str | None
    to_status: str | None
    actor: str
    actor_name: str
    reason: str
    details: Mapping[str, Any]

    @property
    def is_end(self) -> bool:
        """Whether the order has ended with it."""
        return self.slice_id is None and self.to_status in FINAL_ORDERS


class EventPage(Answer):
    """Events in their order; `next_after` is None when there were no others yet."""

    events: list[Event]
    next_after: int | None
    next_cursor: str | None


class MergedEvent(Event):
    """An event with the account whose order it is about, and its number in that account's own feed."""

    account_id: str
    account_event_id: int


class MergedEventPage(Answer):
    """Events of all accounts in their order; `next_after` is None when there were no others yet."""

    events: list[MergedEvent]
    next_after: int | None
    next_cursor: str | None


class Alarm(Answer):
    """A cause for an operator to look. Without an order it is about the installation as a whole."""

    alarm_id: str
    code: AlarmCode
    meaning: str
    status: AlarmStatus
    account_id: str | None
    order_id: str | None
    slice_id: str | None
    detail: Mapping[str, Any]
    note: str | None
    occurrences: int
    first_seen_at: datetime
    opened_at: datetime
    last_seen_at: datetime
    acknowledged_at: datetime | None
    acknowledged_by: str | None
    resolved_at: datetime | None
    resolved_by: str | None


class AlarmPage(Answer):
    """Alarms, the latest first; `next_cursor` is None on the last page."""

    alarms: list[Alarm]
    next_cursor: str | None


class AlarmHappening(Answer):
    """Something that happened to an alarm, and who did it."""

    type: str
    at: datetime
    actor: str
    actor_name: str
    detail: Mapping[str, Any]


class AlarmHistory(Answer):
    alarm: Alarm
    events: list[AlarmHappening]


class AlarmEvent(AlarmHappening):
    """`event_id` rises by one from event to event of all alarms."""

    event_id: int
    alarm_id: str
    code: AlarmCode
    account_id: str | None
    order_id: str | None
    slice_id: str | None


class AlarmEventPage(Answer):
    """Events in their order; `next_after` is None when there were no others yet."""

    events: list[AlarmEvent]
    next_after: int | None
    next_cursor: str | None


class Webhook(Answer):
    """Where events are posted; PENDING until a first delivery was accepted there. `last_error` says what is wrong."""

    webhook_id: str
    account_id: str
    key_id: str | None
    url: str
    feed: WebhookFeed
    types: list[str] | None
    status: WebhookStatus
    created_at: datetime
    verified_at: datetime | None
    disabled_at: datetime | None
    disabled_by: str | None
    delivered_event_id: int
    failing_since: datetime | None
    failures: int
    last_error: str | None
    previous_secret_until: datetime | None


class MadeWebhook(Answer):
    """A webhook with the secret that signs its deliveries, which is in no other answer."""

    webhook: Webhook
    secret: str = field(repr=False)


class WebhookList(Answer):
    webhooks: list[Webhook]


class WebhookPage(WebhookList):
    """Webhooks of everybody, newest first; `next_cursor` is None on the last page."""

    next_cursor: str | None


class Delivery(Answer):
    """What was posted to a webhook, or waits to be: the events from `first_event_id` to `last_event_id`."""

    delivery_id: str
    kind: DeliveryKind
    status: DeliveryStatus
    first_event_id: int | None
    last_event_id: int | None
    asked_at: datetime
    posted_at: datetime | None
    answer_status: int | None
    error: str | None
    duration_ms: int | None


class DeliveryPage(Answer):
    """Deliveries, the latest first; `next_cursor` is None on the last page."""

    deliveries: list[Delivery]
    next_cursor: str | None
