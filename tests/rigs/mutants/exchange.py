"""Defects of the paper exchange: an exchange that takes what Kite refuses lets through what the tests should find."""

from tests.rigs.mutants.defect import TESTS, Change, Defect

_EXCHANGE = "pulse_ops/paper_exchange"
_AS_KITE = f"{TESTS}/test_paper_exchange_as_kite.py"
_LOGINS = f"{TESTS}/test_paper_exchange_logins.py"

EXCHANGE = (
    Defect(
        "The exchange trades symbols that do not exist",
        (
            Change(
                f"{_EXCHANGE}/orders.py",
                "        exchange.entry.check(order, at)\n",
                "",
            ),
        ),
        (
            f"{_AS_KITE}::test_refusals_are_answered_as_kite_answers_them",
            f"{_AS_KITE}::test_a_closed_market_takes_after_market_orders_only",
            f"{_AS_KITE}::test_nothing_that_was_refused_before_the_book_stands_in_it",
        ),
    ),
    Defect(
        "The exchange takes a request token twice",
        (Change(f"{_EXCHANGE}/logins/logins.py", " AND used_at IS NULL", ""),),
        (f"{_LOGINS}::test_a_request_token_is_taken_once_and_within_minutes",),
    ),
    Defect(
        "A token of the exchange lives past six in the morning",
        (
            Change(
                f"{_EXCHANGE}/logins/logins.py",
                "self._books.now() < self._live.get(digest(token), 0)",
                "digest(token) in self._live",
            ),
        ),
        (f"{_LOGINS}::test_a_token_dies_at_six_in_india_and_survives_a_restart_until_then",),
    ),
    Defect(
        "Calls that the exchange turns away do not count",
        (
            Change(
                f"{_EXCHANGE}/limits.py",
                "used = {length: self._count(kind, length, now) for length in self._limits[kind]}",
                "used = {_SECOND: self._count(kind, _SECOND, now)}\n"
                "            if used[_SECOND] <= self._limits[kind][_SECOND]:\n"
                "                used |= {length: self._count(kind, length, now) for length in self._limits[kind]"
                " if length != _SECOND}\n"
                "            used = dict.fromkeys(self._limits[kind], 0) | used",
            ),
        ),
        ("tests/unit/test_paper_rules.py::test_calls_that_are_turned_away_count_in_the_minute_and_the_day",),
    ),
    Defect(
        "The rest of a protected market order is forgotten",
        (
            Change(
                f"{_EXCHANGE}/matching.py",
                "            self._books.change_order(order_id, limit_price=limit)\n",
                "            pass\n",
            ),
        ),
        (f"{_AS_KITE}::test_a_protected_market_order_leaves_a_rest_that_is_a_limit_order",),
    ),
    Defect(
        "An account at the exchange spends more than it has",
        (
            Change(
                f"{_EXCHANGE}/user/account.py",
                "        if needed > left:\n",
                "        if needed > self.cash():\n",
            ),
        ),
        (f"{_AS_KITE}::test_money_and_shares_run_out_and_the_refusal_stands_in_the_book",),
    ),
)
