"""What operators state of single days: a special session, a closure, a phase that moved. Each is a row that stays."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, time
from typing import Any

from api_contract.errors import InvalidRequest, NotFound
from api_contract.log import get_logger
from api_contract.vocabulary import OrderType, Product
from pulse_core import db
from pulse_core.copies import copy_of
from pulse_core.markets import files, hours
from pulse_core.markets.calendar import DayHours, NoCalendar, PhaseHours
from pulse_core.markets.queries import beyond, calendar_of
from pulse_core.markets.store import overrides
from pulse_core.markets.tables import MarketOverride

LONGEST_REASON = 200
LISTED = 100
_CONTINUOUS = "continuous"

log = get_logger(__name__)


@dataclass(frozen=True)
class Span:
    """A part of a day by the clock of its exchange."""

    opens: time
    closes: time


@dataclass(frozen=True)
class Statement:
    """What is to hold for a day: `sessions` and nothing else, or the day as it is with some phases `moved`.

    Neither: the exchange is closed. `cut_offs` are products' last times, without a lead; for those that are not named
    the calendar's remain.
    """

    sessions: Sequence[Span] = ()
    moved: Mapping[str, Span] | None = None
    cut_offs: Mapping[Product, time] | None = None


@dataclass(frozen=True)
class OverrideReport:
    """An override as it was stated; in force until it is revoked."""

    id: int
    exchange: str
    day: date
    phases: Sequence[Mapping[str, Any]]
    cut_offs: Mapping[str, str]
    reason: str
    made_by: str
    made_at: datetime
    revoked_by: str | None
    revoked_at: datetime | None


def override_day(exchange: str, day: date, statement: Statement, reason: str, actor: str, now: datetime) -> None:
    """Put it in force in place of whatever holds for the day, in all processes within a second.

    Raises NotFound, InvalidRequest, BeyondCalendar, DatabaseUnavailable.
    """
    if not reason.strip() or len(reason) > LONGEST_REASON or not reason.isprintable():
        rule = f"1 to {LONGEST_REASON} printable characters"
        raise InvalidRequest(f"reason must have {rule}", {"field": "reason", "rule": rule})
    stated = _hours(exchange, day, statement)
    row = MarketOverride(
        exchange=exchange,
        day=day,
        phases=[_phase(one) for one in stated.phases],
        cut_offs={product.value: f"{at:%H:%M}" for product, at in stated.cut_offs.items()},
        reason=reason,
        made_by=actor,
        made_at=now,
    )
    with db.transaction() as session:
        overrides.lock_day(session, exchange, day)
        overrides.revoke(session, exchange, day, actor, now)
        overrides.add(session, row)
    hours.forget()
    log.warning("market hours overridden", exchange=exchange, day=str(day), actor=actor, reason=reason)


def revoke_override(exchange: str, day: date, actor: str, now: datetime) -> None:
    """Let the calendar hold again. Raises NotFound when it does."""
    with db.transaction() as session:
        overrides.lock_day(session, exchange, day)
        if not overrides.revoke(session, exchange, day, actor, now):
            raise NotFound(f"nothing overrides {exchange} on {day}")
    hours.forget()
    log.warning("market hours no longer overridden", exchange=exchange, day=str(day), actor=actor)


def list_overrides(exchange: str | None = None) -> Sequence[OverrideReport]:
    """The latest, those that were revoked too, the newest first."""
    with db.transaction() as session:
        return [copy_of(one, OverrideReport) for one in overrides.listed(session, exchange, LISTED)]


def _hours(exchange: str, day: date, statement: Statement) -> DayHours:
    calendar = calendar_of(exchange)
    try:
        usual, is_open = calendar.year_of(day).hours(day), bool(calendar.day(day).phases)
        special = calendar.overrides.get(day)
    except NoCalendar as unknown:
        raise beyond(unknown) from unknown
    if special is not None and special.hours is not None:
        usual = special.hours
    if statement.moved is None:
        phases = [_session(one) for one in statement.sessions]
    else:
        phases = _with(usual.phases if is_open else (), statement.moved)
    phases.sort(key=lambda one: one.opens)
    cut_offs = {**usual.cut_offs, **(statement.cut_offs or {})} if phases else {}
    _check(phases)
    return DayHours(phases, cut_offs)


def _with(phases: Sequence[PhaseHours], moved: Mapping[str, Span]) -> list[PhaseHours]:
    unknown = moved.keys() - {one.name for one in phases}
    if unknown:
        known = ", ".join(one.name for one in phases) or "none"
        raise InvalidRequest(f"the day has no phase {', '.join(sorted(unknown))}: it has {known}", {"field": "phase"})
    return [replace(one, **asdict(moved[one.name])) if one.name in moved else one for one in phases]


def _session(span: Span) -> PhaseHours:
    return PhaseHours(_CONTINUOUS, span.opens, span.closes, frozenset(OrderType))


def _check(phases: Sequence[PhaseHours]) -> None:
    try:
        files.check_phases(phases)
    except ValueError as wrong:
        raise InvalidRequest(str(wrong), {"field": "phases"}) from wrong


def _phase(hours_: PhaseHours) -> dict[str, Any]:
    stated: dict[str, Any] = {"name": hours_.name, "opens": f"{hours_.opens:%H:%M}", "closes": f"{hours_.closes:%H:%M}"}
    stated["takes"] = sorted(hours_.takes)
    return stated if hours_.matched_by is None else stated | {"matched_by": f"{hours_.matched_by:%H:%M}"}
