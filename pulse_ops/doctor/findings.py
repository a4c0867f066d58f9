"""What a check says, and every trouble that one can name."""

from dataclasses import dataclass
from enum import StrEnum
from typing import Self


class Trouble(StrEnum):
    """What is wrong and what to do next; programs compare the word, the sentences are for people."""

    _value_: str
    meaning: str
    next_step: str

    def __new__(cls, word: str, meaning: str = "", next_step: str = "") -> Self:
        trouble = str.__new__(cls, word)
        trouble._value_ = word
        trouble.meaning = meaning
        trouble.next_step = next_step
        return trouble

    DATABASE_AWAY = (
        "DATABASE_AWAY",
        "Postgres does not answer",
        "Start the server of DATABASE_URL, or correct the URL; nothing is accepted or sent meanwhile.",
    )
    DATABASE_READ_ONLY = (
        "DATABASE_READ_ONLY",
        "Postgres takes no writes",
        "Name the primary in DATABASE_URL, or set default_transaction_read_only off; sessions that are open keep it.",
    )
    DATABASE_AWAITS_STANDBY = (
        "DATABASE_AWAITS_STANDBY",
        "commits wait for a standby that is away",
        "Start the standby; or take it out of synchronous_standby_names and reload Postgres: from then on "
        "a loss of the primary loses commits.",
    )
    DATABASE_LOSES_COMMITS = (
        "DATABASE_LOSES_COMMITS",
        "a crash of Postgres's machine loses orders that were confirmed",
        "Set fsync and full_page_writes on, and reload Postgres.",
    )
    DATABASE_FULL = (
        "DATABASE_FULL",
        "the disk of Postgres is full",
        "Make room on the disk of Postgres's data directory; its tables need no repair.",
    )
    DATABASE_SESSIONS = (
        "DATABASE_SESSIONS",
        "a proxy shares the sessions of Postgres",
        "Connect directly or in session mode, or name Postgres itself in PULSE_FENCE_DATABASE_URL.",
    )
    DATABASE_BEHIND = ("DATABASE_BEHIND", "the database is at another revision than the code", "Run `pulse migrate`.")
    DISK_NEARLY_FULL = (
        "DISK_NEARLY_FULL",
        "a disk is nearly full",
        "Free some space, before Postgres finds none.",
    )
    REDIS_AWAY = (
        "REDIS_AWAY",
        "Redis does not answer",
        "Start the server of PULSE_QUEUE_URL, or correct the URL; until then slices leave a few seconds late.",
    )
    REDIS_LOSES_MESSAGES = (
        "REDIS_LOSES_MESSAGES",
        "Redis may lose messages",
        "Set maxmemory-policy noeviction and appendonly yes, and see that it has memory and disk.",
    )
    QUEUE_AWAY = (
        "QUEUE_AWAY",
        "RabbitMQ does not answer",
        "Start the server of PULSE_QUEUE_URL, or correct the URL; until then slices leave a few seconds late.",
    )
    QUEUE_GROWING = (
        "QUEUE_GROWING",
        "messages come in faster than they are worked off",
        "See that the workers of this queue run, with this PULSE_QUEUE_URL and PULSE_QUEUE_PREFIX; start more of them.",
    )
    PULSE_AWAY = ("PULSE_AWAY", "no pulse runs", "Start pulse, or read its log: no order is accepted without it.")
    WORKER_AWAY = ("WORKER_AWAY", "a kind of worker does not run", "Start it, or read its log.")
    WORKER_STUCK = (
        "WORKER_STUCK",
        "a worker hangs",
        "Read its log, then restart it: its claims are resolved from the broker's book.",
    )
    BEAT_AWAY = (
        "BEAT_AWAY",
        "beat does not run",
        "Start beat, or read its log; the control worker runs the sweeps meanwhile, a few seconds late.",
    )
    CODE_DIFFERS = (
        "CODE_DIFFERS",
        "a process works with another revision of the database",
        "Replace it by one of the present version.",
    )
    SETTINGS_DIFFER = (
        "SETTINGS_DIFFER",
        "processes were told different things",
        "Give all the same settings, and restart those that differ.",
    )
    CLOCK_OFF = (
        "CLOCK_OFF",
        "the clock of a machine is off",
        "Synchronise it (chrony or systemd-timesyncd): slices go out by the database's clock.",
    )
    SWEEPS_LATE = (
        "SWEEPS_LATE",
        "a sweep has not been run in time",
        "See that the control worker runs and is not overloaded, and that Postgres is not slow.",
    )
    SWEEP_FAILS = ("SWEEP_FAILS", "a sweep fails", "Read the log of the control worker.")
    BROKER_AWAY = (
        "BROKER_AWAY",
        "the broker does not answer as it should",
        "See whether it can be reached at PULSE_PAPER_EXCHANGE_URL, KITE_ROOT_URL or ALPACA_ROOT_URL; "
        "what is unknown is resolved once it answers.",
    )
    BROKER_TOKEN_DEAD = (
        "BROKER_TOKEN_DEAD",
        "nobody is logged in at the broker",
        "`pulse broker login NAME`: what waited goes on by itself, and no restart is needed.",
    )
    BROKER_REFUSES = (
        "BROKER_REFUSES",
        "the broker refuses most slices",
        "Read its reasons with `pulse slices list`, mend the cause, then `pulse slices retry` those that are REJECTED.",
    )
    ACCOUNT_HELD = (
        "ACCOUNT_HELD",
        "a broker account is held, and its orders wait",
        "AWAITING_TOKEN: `pulse broker login NAME`. BLOCKED: see to it there, then `pulse recover --account NAME`.",
    )
    ACCOUNT_REFUSED = (
        "ACCOUNT_REFUSED",
        "the broker does not let an account trade",
        "See to it at the broker, with the address that it names if it does; then `pulse broker login NAME`.",
    )
    ACCOUNT_NOT_REACHED = (
        "ACCOUNT_NOT_REACHED",
        "open orders wait for a broker account that is not reached",
        "Start with its PULSE_BROKER or credentials again; or cancel the orders: what is unsent of them ends at once.",
    )
    SENDING_HELD = ("SENDING_HELD", "nothing is sent", "See `pulse recover`.")
    HALTED = (
        "HALTED",
        "somebody has halted orders",
        "`pulse halt show ID` tells what it has done; once its reason is gone, `pulse halt release ID`.",
    )
    INSTRUMENTS_MISSING = (
        "INSTRUMENTS_MISSING",
        "orders are taken for instruments that nobody has looked up",
        "Run `pulse markets load`: until a list was loaded, an unknown symbol, an odd lot and a price off the grid fail"
        " at the broker.",
    )
    INSTRUMENTS_STALE = (
        "INSTRUMENTS_STALE",
        "orders are held to an old list of instruments",
        "Read why with `pulse markets loads`, mend the cause, then `pulse markets load`.",
    )
    CALENDAR_DIFFERS = (
        "CALENDAR_DIFFERS",
        "a broker has other days or hours than our calendar, which orders are held to",
        "Find out from the exchange who is right; if it is the broker: `pulse markets override EXCHANGE DAY`.",
    )
    BROKER_CLOCK_OFF = (
        "BROKER_CLOCK_OFF",
        "a broker's clock and the database's differ",
        "Compare both with a third one; slices go out by the database's, and the broker closes its doors by its own.",
    )
    FENCE_HELD = (
        "FENCE_HELD",
        "a worker that does not go on keeps a slice to itself",
        "End that worker; if its machine has vanished, end its session in Postgres: SELECT pg_terminate_backend(PID).",
    )
    ORDER_STUCK = (
        "ORDER_STUCK",
        "an order makes no progress",
        "Mend the other troubles first; then `pulse slices list --order ORDER`, and `pulse slices show SLICE`.",
    )
    GATEWAY_AWAY = ("GATEWAY_AWAY", "the gateway is not ready", "Start gapi, or read its log.")
    SERVICE_WAITS = (
        "SERVICE_WAITS",
        "a service runs, and takes no orders for want of",
        "Mend what it lacks: it goes on by itself, without a restart.",
    )
    FLOWER_AWAY = (
        "FLOWER_AWAY",
        "Flower does not run",
        "Start it, or read its log; nothing of the trading needs it.",
    )
    UNEXAMINED = (
        "UNEXAMINED",
        "a check could not be made",
        "Run `pulse doctor` again; the reason says what was in the way.",
    )


@dataclass(frozen=True)
class Finding:
    """`fix` is empty when all is well; `trouble` is the word for what is wrong with the deployment."""

    check: str
    is_ok: bool
    verdict: str
    fix: str = ""
    trouble: Trouble | None = None


def fine(check: str, verdict: str) -> Finding:
    return Finding(check, True, verdict)


def wrong(check: str, trouble: Trouble, detail: str) -> Finding:
    """A trouble, with what was seen of it."""
    return Finding(
        check, False, f"{trouble.meaning}: {detail}" if detail else trouble.meaning, trouble.next_step, trouble
    )
