"""Whose fault a refusal of Kite's is: every guess about the broker's words stands in this one table.

Kite documents its error types and not its sentences, so a rule that rests on words may stop matching one day. What no
rule matches is the fault of the order, as everything was before: it spends that one slice, and nothing else.
docs/broker-refusals.md shows the same table, with where each rule comes from.
"""

from dataclasses import dataclass

from pulse_core.brokers.port import ACCOUNT_BLOCKED, ADDRESS_NOT_REGISTERED, RATE_LIMITED, TOKEN_ENDED, Scope


@dataclass(frozen=True)
class Rule:
    """One kind of refusal: it matches by what it names, and any of its `words` in the message, in small letters.

    `code` takes the place of Kite's error type where programs must tell the refusal apart.
    """

    scope: Scope
    status: int | None = None
    error_type: str | None = None
    words: tuple[str, ...] = ()
    code: str | None = None

    def matches(self, status: int, error_type: str | None, message: str) -> bool:
        """Whether a refusal is of this kind; `message` is in small letters."""
        if self.status not in (None, status) or self.error_type not in (None, error_type):
            return False
        return not self.words or any(words in message for words in self.words)


# The first that matches decides. What Kite says by status or type goes before what it only says in words.
RULES = (
    Rule(Scope.BUDGET, status=429, code=RATE_LIMITED),
    Rule(Scope.ACCOUNT, error_type="TokenException", code=TOKEN_ENDED),
    Rule(
        Scope.ACCOUNT,
        error_type="PermissionException",
        words=("no ips configured", "allowed ip", "ip address", "is not registered", "static ip", "whitelist"),
        code=ADDRESS_NOT_REGISTERED,
    ),
    Rule(Scope.ACCOUNT, error_type="PermissionException", code=ACCOUNT_BLOCKED),
    Rule(
        Scope.ACCOUNT,
        error_type="UserException",
        words=("blocked", "suspended", "deactivated", "dormant", "not enabled", "inactive", "kyc"),
        code=ACCOUNT_BLOCKED,
    ),
    Rule(Scope.FUNDS, error_type="MarginException"),
    Rule(Scope.HOLDINGS, error_type="HoldingException"),
    Rule(Scope.FUNDS, words=("insufficient fund", "insufficient margin", "margin exceeds", "available margin")),
    Rule(
        Scope.HOLDINGS,
        words=("insufficient holding", "insufficient stock", "holding quantity", "holdings to sell", "tpin", "edis"),
    ),
    Rule(
        Scope.MARKET,
        words=(
            "markets are closed",
            "market is closed",
            "exchange is closed",
            "after market order",
            "market is not open",
            "markets are not open",
            "outside market hours",
            "outside trading hours",
            "trading is halted",
            "market is halted",
            "market halt",
            "not allowed in this session",
        ),
    ),
    Rule(
        Scope.PRICE,
        words=(
            "circuit",
            "price band",
            "daily range",
            "execution range",
            "operating range",
            "limit price protection",
            "lpp range",
        ),
    ),
    Rule(
        Scope.BUDGET,
        words=("too many requests", "too many orders", "order requests exceeded", "maximum allowed order requests"),
        code=RATE_LIMITED,
    ),
    Rule(Scope.ORDER),
)


def rule_for(status: int, error_type: str | None, message: str) -> Rule:
    """The rule that decides about a refusal."""
    words = message.lower()
    return next(rule for rule in RULES if rule.matches(status, error_type, words))


def scope_of(message: str) -> Scope:
    """Whose fault it is that a row of the book is REJECTED: of that the broker gives words, and no more."""
    return rule_for(0, None, message).scope
