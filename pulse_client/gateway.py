"""The public API as methods. What changes something is sent with a key, by which a repeat makes no second one."""

from datetime import date

from pulse_client.alarms import Alarms
from pulse_client.calls import Credentials, part
from pulse_client.feeds import Feeds
from pulse_client.halts import Halts
from pulse_client.instruments import Instruments
from pulse_client.keys import Keys
from pulse_client.logins import Logins
from pulse_client.models import AccountLimits, BrokerAccount, BrokerAccountList, Installation, Market, Me
from pulse_client.operating import Operating
from pulse_client.policies import Policies
from pulse_client.second_factor import SecondFactors
from pulse_client.users import Users
from pulse_client.webhooks import Webhooks

__all__ = ["Credentials", "Gateway"]


class Gateway(Feeds, Operating, Alarms, Halts, Webhooks, Logins, SecondFactors, Keys, Users, Instruments, Policies):
    """Acts for one account, by its credentials, an access token or an API key. Every method raises GatewayError."""

    def me(self) -> Me:
        """Whom the token speaks for, and what it may do."""
        return self._get(Me, "/api/me")

    def installation(self) -> Installation:
        """What is traded, where, and within which limits."""
        return self._get(Installation, "/api/installation")

    def broker_accounts(self) -> list[BrokerAccount]:
        """The broker accounts that the caller may trade with; for operators and admins, all."""
        return self._get(BrokerAccountList, "/api/broker-accounts").broker_accounts

    def limits(self, broker_account: str | None = None) -> AccountLimits:
        """What the account may do at most with a broker account, by default the installation's, and what is left."""
        return self._get(AccountLimits, "/api/limits", broker_account=broker_account)

    def market(self, exchange: str, day: date | None = None) -> Market:
        """The hours of an exchange on a day by its own date, today without one, and its next session."""
        return self._get(Market, f"/api/markets/{part(exchange)}", day=None if day is None else day.isoformat())
