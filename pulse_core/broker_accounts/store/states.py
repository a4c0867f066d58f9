"""The only writer of a broker account's state: each change one statement, by Postgres's clock."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import Boolean, DateTime, Interval, String, func, or_, select, update
from sqlalchemy.orm import Session

from pulse_core.broker_accounts.tables import BrokerAccount
from pulse_core.broker_accounts.vocabulary import BrokerAccountState
from pulse_core.postgres import sql

# After a refusal, and twice as long after each probe that came to nothing: a person logs in, and is not kept waiting.
FIRST_PROBE = timedelta(seconds=1)
LONGEST_PAUSE = timedelta(seconds=30)
# What is held again so soon after its release was not over.
SOON = timedelta(minutes=10)
LONGEST_REASON = 200
_SEEN = (
    BrokerAccount.name,
    BrokerAccount.state,
    BrokerAccount.reason,
    BrokerAccount.state_since,
    BrokerAccount.is_read_refused,
    BrokerAccount.state_since > BrokerAccount.made_at,
)
# So long after a new login every process has noticed it.
NOTICED = timedelta(seconds=2)


@dataclass(frozen=True)
class HeldAccount:
    """A broker account that is not READY, since when and why; `is_read_refused`: the broker shows it nothing either.

    One that `has_worked` was READY before; others may never have been given a login.
    """

    name: str
    state: BrokerAccountState
    reason: str | None
    since: datetime
    is_read_refused: bool
    has_worked: bool


def hold(
    session: Session, name: str, state: BrokerAccountState, reason: str, began_at: datetime, *, is_read: bool
) -> bool:
    """Hold an account that was refused in a call that began then; False if it is held, or was released since."""
    binds = {"name": name, "state": state.value, "reason": reason[:LONGEST_REASON], "began_at": began_at}
    pauses = {"first": FIRST_PROBE, "longest": LONGEST_PAUSE, "soon": SOON, "noticed": NOTICED}
    return session.execute(_HOLD, {**binds, **pauses, "is_read": is_read}).one_or_none() is not None


def release(session: Session, seen: HeldAccount) -> bool:
    """Say that an account works, unless it was held anew since it was seen; False when it was, or is not held."""
    released = (
        update(BrokerAccount)
        .where(
            BrokerAccount.name == seen.name,
            BrokerAccount.state != BrokerAccountState.READY,
            BrokerAccount.state_since == seen.since,
        )
        .values(state=BrokerAccountState.READY, reason=None, state_since=func.clock_timestamp(), probe_at=None)
        .returning(BrokerAccount.name)
        .execution_options(synchronize_session=False)
    )
    return session.scalar(released) is not None


def take_probe(session: Session, name: str) -> HeldAccount | None:
    """Whoever gets it may try whether the account works; None when it is not held, or its time has not come."""
    row = session.execute(_TAKE_PROBE, {"name": name, "first": FIRST_PROBE, "longest": LONGEST_PAUSE}).one_or_none()
    return None if row is None else HeldAccount(*row)


def take_question(session: Session, name: str, now: datetime, every: timedelta) -> bool:
    """Whether the broker may be asked about the account's money now: nobody else does within this time."""
    is_over = or_(BrokerAccount.asked_at.is_(None), BrokerAccount.asked_at <= now - every)
    taken = (
        update(BrokerAccount)
        .where(BrokerAccount.name == name, BrokerAccount.state == BrokerAccountState.READY, is_over)
        .values(asked_at=now)
        .returning(BrokerAccount.name)
        .execution_options(synchronize_session=False)
    )
    return session.scalar(taken) is not None


def probe_soon(session: Session, name: str) -> None:
    """Have a held account tried at once: somebody has seen to it."""
    held = update(BrokerAccount).where(BrokerAccount.name == name, BrokerAccount.state != BrokerAccountState.READY)
    session.execute(held.values(probes=0, probe_at=func.clock_timestamp()).execution_options(synchronize_session=False))


def note_login(session: Session, name: str) -> None:
    """Somebody has logged in: calls that were made with the login of before say nothing of an account that works."""
    ready = update(BrokerAccount).where(BrokerAccount.name == name, BrokerAccount.state == BrokerAccountState.READY)
    noted = {"state_since": func.clock_timestamp(), "probes": func.greatest(BrokerAccount.probes, 1)}
    session.execute(ready.values(**noted).execution_options(synchronize_session=False))


def note_refused_read(session: Session, seen: HeldAccount, state: BrokerAccountState, reason: str) -> None:
    """A probe was refused too: reading shows from now on whether that is over."""
    same = update(BrokerAccount).where(BrokerAccount.name == seen.name, BrokerAccount.state_since == seen.since)
    noted = same.where(BrokerAccount.state != BrokerAccountState.READY)
    changes = {"is_read_refused": True, "state": state, "reason": reason[:LONGEST_REASON]}
    session.execute(noted.values(**changes).execution_options(synchronize_session=False))


def held(session: Session) -> Sequence[HeldAccount]:
    """Every account that is held, by name."""
    rows = select(*_SEEN).where(BrokerAccount.state != BrokerAccountState.READY).order_by(BrokerAccount.name)
    return [HeldAccount(*row) for row in session.execute(rows)]


def awaits_token(session: Session, name: str) -> bool:
    """Whether somebody has to log in to the account before anything can be asked there."""
    waits = BrokerAccount.state == BrokerAccountState.AWAITING_TOKEN
    return session.scalar(select(BrokerAccount.name).where(BrokerAccount.name == name, waits)) is not None


_PAUSES: sql.Types = dict.fromkeys(("first", "longest", "soon", "noticed"), Interval())
_HOLD = sql.load(
    __package__,
    "hold",
    {
        **dict.fromkeys(("name", "state", "reason"), String()),
        **_PAUSES,
        "began_at": DateTime(timezone=True),
        "is_read": Boolean(),
    },
)
_TAKE_PROBE = sql.load(
    __package__, "take_probe", {"name": String(), "first": Interval(), "longest": Interval()}
).columns(
    name=String(),
    state=BrokerAccount.__table__.c.state.type,
    reason=String(),
    state_since=DateTime(timezone=True),
    is_read_refused=Boolean(),
    has_worked=Boolean(),
)
