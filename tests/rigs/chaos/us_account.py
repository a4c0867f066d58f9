"""The account at the exchange that speaks Alpaca's protocol: `python -m tests.rigs.chaos.us_account`, beside a stack.

Its keys are sealed as an operator seals them, and its market is open at any hour.
"""

from datetime import time, timedelta

from pulse_core.broker_accounts import accounts, login
from pulse_core.brokers.alpaca.limits import NEW_YORK
from pulse_core.clock import utcnow
from pulse_core.markets import overrides
from pulse_core.markets.overrides import Span, Statement
from tests.rigs.chaos.exchanges import ALPACA, US_KEY, US_SECRET

ACTOR = "chaos"
DAYS = 3
ALL_DAY = Statement((Span(time(0), time(23, 59)),))


def main() -> None:
    accounts.add_account(ALPACA.account, "alpaca", ACTOR, utcnow(), is_live=False)
    login.set_keys(ALPACA.account, US_KEY, US_SECRET, None, ACTOR, utcnow())
    today = utcnow().astimezone(NEW_YORK).date()
    for exchange in sorted({instrument.partition(":")[0] for instrument in ALPACA.instruments}):
        for ahead in range(DAYS):
            day = today + timedelta(days=ahead)
            overrides.override_day(exchange, day, ALL_DAY, "chaos trades at any hour", ACTOR, utcnow())


if __name__ == "__main__":
    main()
