"""What the public API answers."""

from collections.abc import Mapping
from dataclasses import field
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from pulse_client.reading import Answer
from pulse_client.vocabulary import (
    FINAL_ORDERS,
    BrokerAccountState,
    OrderType,
    Product,
    Role,
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
    qr_rows: list[str] = field(default_factory=list, repr=False)


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
