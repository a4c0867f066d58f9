"""Plan tokens: what a preview showed, sealed for the account that asked, so that an order can be held to it.

A token is no row: it holds all that its schedule follows from. When it comes back, the schedule is made once more from
what is known by then, and compared. Nothing else that changed meanwhile matters.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import Any

from api_contract.errors import InvalidRequest, PlanChanged
from api_contract.order_rules import NewOrder
from api_contract.policy_rules import POLICY
from pulse_core.config import keys_of
from pulse_core.sealing import Seal, Unreadable
from pulse_core.trading.order.planning import plan_for_row
from pulse_core.trading.schedule import PlannedSlice
from pulse_core.trading.trading_time import TradingTime

LASTS = timedelta(minutes=5)
# What an order may state beside its terms.
_TOKEN = "plan_token"  # noqa: S105
_OF_SPLIT = frozenset({"num_splits", "duration_minutes", "randomize", "until_close"})
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


@dataclass(frozen=True)
class Plan:
    """What a schedule followed from when it was shown; instants in microseconds since 1970.

    `stated` is the order field by field, as its client wrote it, and how it catches up; `stretches` are when its market
    takes it.
    """

    made_at: int
    expires_at: int
    stated: Mapping[str, Any]
    broker_account: str
    start_at: int
    end_at: int
    seed: int
    lot_size: int
    most_per_slice: int | None
    stretches: Sequence[Sequence[int]]
    digest: str

    @property
    def at(self) -> datetime:
        """When it was made, which is when an order without a start of its own begins."""
        return _instant(self.made_at)


def plan_for(
    new_order: NewOrder, row: Mapping[str, Any], time: TradingTime, planned: Sequence[PlannedSlice], made_at: datetime
) -> Plan:
    """The plan of an order that was previewed then, by the row that it would have.

    It expires after LASTS, or when its second slice is due: of an order placed later several would be late at once.
    """
    return Plan(
        made_at=_microseconds(made_at),
        expires_at=_microseconds(min(made_at + LASTS, planned[1].scheduled_at)),
        stated=_stated(new_order, row),
        broker_account=row["broker"],
        start_at=_microseconds(row["start_at"]),
        end_at=_microseconds(row["end_at"]),
        seed=row["seed"],
        lot_size=row["lot_size"],
        most_per_slice=row["most_per_slice"],
        stretches=[[_microseconds(start), _microseconds(end)] for start, end in time.stretches],
        digest=_digest(planned),
    )


def expiry(plan: Plan) -> datetime:
    """Until when an order may be placed with it."""
    return _instant(plan.expires_at)


def sealed(plan: Plan, account_id: str) -> str:
    """The token of a plan, which is that of this account alone."""
    return _seal().sealed(json.dumps(asdict(plan), ensure_ascii=False, separators=(",", ":")), account_id)


def opened(token: str, account_id: str) -> Plan:
    """The plan of a token. Raises InvalidRequest for any that was not given to this account."""
    try:
        return Plan(**json.loads(_seal().opened(token, account_id)))
    except (Unreadable, ValueError, TypeError):
        rule = "one that a preview gave this account"
        raise InvalidRequest(f"{_TOKEN} must be {rule}", {"field": _TOKEN, "rule": rule}) from None


def hold_to(plan: Plan, new_order: NewOrder, row: Mapping[str, Any], time: TradingTime, now: datetime) -> None:
    """Hold an order to a plan: `row` and `time` are what it would have by what is known now, as of the preview.

    Raises PlanChanged, which names each input, or each slice, that is not the same.
    """
    differs = _inputs(plan, new_order, row) or _age(plan, now) or _slices(plan, row, time)
    if differs:
        names = [one.get("field") or f"slice {one['sequence_number']}" for one in differs]
        told = ", ".join(names[:5]) + (f" and {len(names) - 5} more" if len(names) > 5 else "")
        raise PlanChanged(f"the plan is not what was previewed: {told}; preview the order again", {"differs": differs})


def _inputs(plan: Plan, new_order: NewOrder, row: Mapping[str, Any]) -> list[dict[str, Any]]:
    stated = _stated(new_order, row)
    names = [name for name in {**plan.stated, **stated} if plan.stated.get(name) != stated.get(name)]
    differs = [_difference(name, plan.stated.get(name), stated.get(name)) for name in names]
    if not differs and plan.broker_account != row["broker"]:
        differs.append(_difference("broker_account", plan.broker_account, row["broker"]))
    return differs


def _age(plan: Plan, now: datetime) -> list[dict[str, Any]]:
    if now <= expiry(plan):
        return []
    return [_difference(_TOKEN, _text(expiry(plan)), _text(now))]


def _slices(plan: Plan, row: Mapping[str, Any], time: TradingTime) -> list[dict[str, Any]]:
    after = {one.sequence_number: one for one in _planned(row, time)}
    if _digest(list(after.values())) == plan.digest:
        differs = []
    else:
        before = {one.sequence_number: one for one in _planned_before(plan, row)}
        differs = [
            {"sequence_number": number, "before": _shown(before.get(number)), "after": _shown(after.get(number))}
            for number in sorted({*before, *after})
            if before.get(number) != after.get(number)
        ]
        # The same facts came to another schedule in another release.
        differs = differs or [_difference("schedule", plan.digest, _digest(list(after.values())))]
    if plan.end_at != _microseconds(row["end_at"]):
        differs.append(_difference("end_at", _text(_instant(plan.end_at)), _text(row["end_at"])))
    return differs


def _planned_before(plan: Plan, row: Mapping[str, Any]) -> list[PlannedSlice]:
    known_then = {
        "start_at": _instant(plan.start_at),
        "lot_size": plan.lot_size,
        "most_per_slice": plan.most_per_slice,
        "seed": plan.seed,
    }
    time = TradingTime([(_instant(start), _instant(end)) for start, end in plan.stretches])
    return _planned({**row, **known_then}, time)


def _planned(row: Mapping[str, Any], time: TradingTime) -> list[PlannedSlice]:
    try:
        return plan_for_row(row, time)
    except ValueError:
        # By what is known now it can have no slices at all.
        return []


def _difference(field: str, before: object, after: object) -> dict[str, Any]:
    return {"field": f"split_config.{field}" if field in _OF_SPLIT else field, "before": before, "after": after}


def _shown(one: PlannedSlice | None) -> dict[str, Any] | None:
    return None if one is None else {"scheduled_at": _text(one.scheduled_at), "quantity": one.quantity}


def _stated(new_order: NewOrder, row: Mapping[str, Any]) -> dict[str, Any]:
    """What the client wrote, with what its account's default says of how it catches up."""
    stated = {one.name: _plain(getattr(new_order, one.name)) for one in fields(new_order) if one.name != _TOKEN}
    return stated | {name: row[name] for name in POLICY}


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return _text(value)
    if isinstance(value, Decimal):
        return format(value, "f")
    return value


def _digest(planned: Sequence[PlannedSlice]) -> str:
    lines = (f"{one.sequence_number} {one.quantity} {_microseconds(one.scheduled_at)}" for one in planned)
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:32]


def _seal() -> Seal:
    return Seal(keys_of("cursor"), "plan token")


def _microseconds(at: datetime) -> int:
    return (at - _EPOCH) // _MICROSECOND


def _instant(microseconds: int) -> datetime:
    return _EPOCH + microseconds * _MICROSECOND


def _text(at: datetime) -> str:
    return at.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
