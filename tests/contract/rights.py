"""Who may do what, as the two services promise it. Written down by hand: nothing here is read from their code."""

from dataclasses import dataclass
from enum import Enum, auto

SCOPES = {
    "viewer": {"orders:read", "events:read", "webhooks:write"},
    "trader": {"orders:read", "events:read", "webhooks:write", "orders:write"},
    "operator": {"orders:read", "events:read", "webhooks:write", "orders:write", "slices:operate"},
    "admin": {"orders:read", "events:read", "webhooks:write"},
}


class On(Enum):
    """What an operation is about."""

    NOTHING = auto()
    ORDER_TO_READ = auto()
    ORDER_TO_CHANGE = auto()
    HALT = auto()
    OWN = auto()
    ANYBODYS = auto()


# Whose role lets them do it to what belongs to others; for all the rest it is not there.
REACHES_OTHERS = {
    On.ORDER_TO_READ: {"operator", "admin"},
    On.ORDER_TO_CHANGE: {"operator"},
    On.HALT: {"operator", "admin"},
    On.OWN: set[str](),
    On.ANYBODYS: {"admin"},
}


@dataclass(frozen=True)
class Right:
    """`needed`: a scope, `account`, `oversight`, `login`, `admin`, `staff`, `halting`, `gateway`, `service`, or None.

    `before_enrolment`: also for a login that has yet to set up the second factor that its role needs.
    """

    needed: str | None
    on: On = On.NOTHING
    before_enrolment: bool = False


READ, WRITE, OPERATE, EVENTS = "orders:read", "orders:write", "slices:operate", "events:read"
WEBHOOKS = "webhooks:write"
LOGIN, ADMIN, SERVICE, GATEWAY, OVERSIGHT = "login", "admin", "service", "gateway", "oversight"
ACCOUNT, STAFF, HALTING = "account", "staff", "halting"

_ORDERS = {
    "place_order": Right(WRITE),
    "preview_order": Right(WRITE),
    "list_orders": Right(READ),
    "show_order": Right(READ, On.ORDER_TO_READ),
    "cancel_order": Right(WRITE, On.ORDER_TO_CHANGE),
    "list_slices": Right(READ, On.ORDER_TO_READ),
    "list_fills": Right(READ, On.ORDER_TO_READ),
    "find_order": Right(READ, On.OWN),
    "find_order_by_query": Right(READ, On.OWN),
    "cancel_order_by_query": Right(WRITE, On.OWN),
    "amend_order": Right(WRITE, On.ORDER_TO_CHANGE),
    "pause_order": Right(WRITE, On.ORDER_TO_CHANGE),
    "resume_order": Right(WRITE, On.ORDER_TO_CHANGE),
    "retry_slice": Right(OPERATE, On.ORDER_TO_CHANGE),
    "resolve_slice": Right(OPERATE, On.ORDER_TO_CHANGE),
    "settle_slice": Right(OPERATE, On.ORDER_TO_CHANGE),
    "audit_order": Right(EVENTS, On.ORDER_TO_READ),
}
_HALTS = {
    "halt_trading": Right(HALTING),
    "release_halt": Right(HALTING, On.HALT),
    "list_halts": Right(READ),
    "show_halt": Right(READ, On.HALT),
    "list_halted_slices": Right(READ, On.HALT),
}
_ALARMS = {
    "list_alarms": Right(OVERSIGHT),
    "show_alarm": Right(OVERSIGHT),
    "acknowledge_alarm": Right(OPERATE),
    "resolve_alarm": Right(OPERATE),
    "note_alarm": Right(OPERATE),
}
_BROKER_LOGINS = {
    "show_broker_login": Right(OVERSIGHT),
    "show_login_address": Right(STAFF),
    "log_broker_account_in": Right(STAFF),
}
_KEYS_AND_WEBHOOKS = {
    "list_keys": Right(LOGIN),
    "add_key": Right(LOGIN),
    "revoke_key": Right(LOGIN, On.OWN),
    "list_all_keys": Right(ADMIN),
    "revoke_any_key": Right(ADMIN, On.ANYBODYS),
    "list_webhooks": Right(EVENTS),
    "add_webhook": Right(WEBHOOKS),
    "show_webhook": Right(EVENTS, On.OWN),
    "enable_webhook": Right(WEBHOOKS, On.OWN),
    "disable_webhook": Right(WEBHOOKS, On.OWN),
    "remove_webhook": Right(WEBHOOKS, On.OWN),
    "roll_webhook_secret": Right(WEBHOOKS, On.OWN),
    "test_webhook": Right(WEBHOOKS, On.OWN),
    "redeliver_event": Right(WEBHOOKS, On.OWN),
    "list_deliveries": Right(EVENTS, On.OWN),
    "list_all_webhooks": Right(ADMIN),
    "show_any_webhook": Right(ADMIN, On.ANYBODYS),
    "disable_any_webhook": Right(ADMIN, On.ANYBODYS),
    "enable_any_webhook": Right(ADMIN, On.ANYBODYS),
    "remove_any_webhook": Right(ADMIN, On.ANYBODYS),
}
_ABOUT = {
    "show_me": Right(ACCOUNT, before_enrolment=True),
    "show_installation": Right(ACCOUNT),
    "show_market": Right(ACCOUNT),
    "show_limits": Right(ACCOUNT),
    "show_policy": Right(ACCOUNT),
    "set_policy": Right(WRITE),
    "list_instruments": Right(ACCOUNT),
    "show_instrument": Right(ACCOUNT),
    "list_instrument_loads": Right(OVERSIGHT),
    "load_instruments": Right(OPERATE),
    "list_broker_accounts": Right(ACCOUNT),
    "add_broker_account": Right(ADMIN),
    "list_grants": Right(ADMIN),
    "grant_broker_account": Right(ADMIN, On.ANYBODYS),
    "revoke_grant": Right(ADMIN, On.ANYBODYS),
}
_OPEN = {"health": Right(None)}
_LOGINS = {
    "log_out": Right(LOGIN, before_enrolment=True),
    "log_out_everywhere": Right(LOGIN, before_enrolment=True),
    "change_password": Right(LOGIN),
}
_SECOND_FACTORS = {
    "show_second_factor": Right(LOGIN, before_enrolment=True),
    "enrol": Right(LOGIN, before_enrolment=True),
    "confirm_second_factor": Right(LOGIN, before_enrolment=True),
    "renew_recovery_codes": Right(LOGIN),
    "disable_second_factor": Right(LOGIN),
    "remove_second_factor": Right(ADMIN, On.ANYBODYS),
}

RIGHTS = {
    "gapi": _ORDERS
    | _ABOUT
    | _ALARMS
    | _HALTS
    | _BROKER_LOGINS
    | _KEYS_AND_WEBHOOKS
    | _OPEN
    | _LOGINS
    | _SECOND_FACTORS
    | {
        "cancel_order_by_key": Right(WRITE, On.OWN),
        "log_in": Right(None),
        "refresh": Right(None),
        "follow_alarms": Right(OVERSIGHT),
        "follow_account": Right(EVENTS),
        "follow_all_accounts": Right(OVERSIGHT),
        "follow_order": Right(EVENTS, On.ORDER_TO_READ),
        "take_zerodha_postback": Right(None),
        "list_users": Right(ADMIN),
        "add_user": Right(ADMIN),
        "show_user": Right(ADMIN, On.ANYBODYS),
        "change_user": Right(ADMIN, On.ANYBODYS),
        "show_user_limits": Right(ADMIN, On.ANYBODYS),
        "set_user_limits": Right(ADMIN, On.ANYBODYS),
        "show_user_policy": Right(ADMIN, On.ANYBODYS),
        "set_user_policy": Right(ADMIN, On.ANYBODYS),
        "log_user_out": Right(ADMIN, On.ANYBODYS),
        "offboard_user": Right(ADMIN, On.ANYBODYS),
        "introspect": Right(SERVICE),
        "revoke": Right(SERVICE),
        "public_keys": Right(None),
    },
    "pulse": _ORDERS
    | _ABOUT
    | _ALARMS
    | _HALTS
    | _BROKER_LOGINS
    | _KEYS_AND_WEBHOOKS
    | _OPEN
    | _LOGINS
    | _SECOND_FACTORS
    | {
        "log_in": Right(GATEWAY),
        "refresh": Right(GATEWAY),
        "list_events": Right(EVENTS, On.ORDER_TO_READ),
        "list_account_events": Right(EVENTS),
        "poll_events": Right(GATEWAY),
        "list_all_events": Right(OVERSIGHT),
        "poll_all_events": Right(GATEWAY),
        "list_alarm_events": Right(OVERSIGHT),
        "poll_alarms": Right(GATEWAY),
        "take_zerodha_postback": Right(GATEWAY),
        "list_accounts": Right(ADMIN),
        "add_account": Right(ADMIN),
        "show_account": Right(ADMIN, On.ANYBODYS),
        "change_account": Right(ADMIN, On.ANYBODYS),
        "show_account_limits": Right(ADMIN, On.ANYBODYS),
        "set_account_limits": Right(ADMIN, On.ANYBODYS),
        "show_account_policy": Right(ADMIN, On.ANYBODYS),
        "set_account_policy": Right(ADMIN, On.ANYBODYS),
        "log_account_out": Right(ADMIN, On.ANYBODYS),
        "offboard_account": Right(ADMIN, On.ANYBODYS),
        "name_holder": Right(GATEWAY),
        "list_news": Right(GATEWAY),
        "show_readiness": Right(GATEWAY),
        "report_process": Right(GATEWAY),
        "revoke": Right(GATEWAY),
    },
}


@dataclass(frozen=True)
class Kind:
    """What a caller is: a role with a login, or with an API key of some scopes; or none of these.

    `must_enrol`: a login of a role that needs a second factor, begun without one.
    """

    name: str
    role: str | None = None
    key_scopes: frozenset[str] | None = None
    must_enrol: bool = False

    def is_known(self, service: str, right: Right) -> bool:
        """Whether its token is one that the operation looks at."""
        if self.name == GATEWAY:
            return service == "pulse"
        if SERVICE in (self.name, right.needed):
            return self.name == right.needed
        return self.role is not None

    def may(self, right: Right) -> bool:
        """Whether the operation is for this kind of caller at all."""
        if self.must_enrol and not right.before_enrolment:
            return False
        match right.needed:
            case "account":
                return self.role is not None
            case "login":
                return self.role is not None and self.key_scopes is None
            case "admin":
                return self.role == ADMIN and self.key_scopes is None
            case "staff":
                return self.role in ("operator", ADMIN) and self.key_scopes is None
            case "halting":
                is_trader = self.key_scopes is None or (WRITE in self.key_scopes and self.role != ADMIN)
                return self.role in ("trader", "operator", ADMIN) and is_trader
            case "gateway" | "service":
                return self.name == right.needed
        scopes = SCOPES.get(self.role or "", set())
        held = scopes if self.key_scopes is None else scopes & self.key_scopes
        if right.needed == OVERSIGHT:
            return self.role in ("operator", "admin") and EVENTS in held
        return right.needed in held


def _keys(role: str, *scope_sets: set[str]) -> list[Kind]:
    return [Kind(f"{role} key {' '.join(sorted(one))}", role, frozenset(one)) for one in scope_sets]


_EVERY = SCOPES["operator"]
NOBODY, EXPIRED = Kind("nobody"), Kind("expired")
KINDS = [
    NOBODY,
    EXPIRED,
    Kind(SERVICE),
    Kind(GATEWAY),
    *(Kind(role, role) for role in SCOPES),
    *(Kind(f"{role} without a second factor", role, must_enrol=True) for role in (ADMIN, "operator")),
    *_keys("operator", _EVERY, *({scope} for scope in _EVERY), *(_EVERY - {scope} for scope in _EVERY)),
    *_keys("trader", SCOPES["trader"]),
    *_keys("viewer", SCOPES["viewer"]),
    *_keys("admin", SCOPES["admin"]),
]


def expected(service: str, kind: Kind, right: Right, is_own: bool) -> int | None:
    """The status of the refusal, None for a call that goes through."""
    if right.needed is None:
        return None
    if not kind.is_known(service, right):
        return 401
    if not kind.may(right):
        return 403
    if is_own or kind.role in REACHES_OTHERS[right.on]:
        return None
    return 404
