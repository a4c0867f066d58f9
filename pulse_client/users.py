"""Accounts of others. For admins: everybody else is refused with Forbidden."""

from collections.abc import Iterator, Mapping
from datetime import datetime

from pulse_client.calls import Calls, part
from pulse_client.models import AccountLimits
from pulse_client.policies import AccountPolicy, NewCatchUpPolicy
from pulse_client.reading import Answer
from pulse_client.vocabulary import OpenOrders, Role

_USERS = "/api/admin/users"


class User(Answer):
    """`second_factor_since` is None where the password alone is enough."""

    account_id: str
    username: str
    role: Role
    is_active: bool
    requests_per_minute: int | None
    second_factor_since: datetime | None
    created_at: datetime
    updated_at: datetime


class UserPage(Answer):
    users: list[User]
    next_cursor: str | None


class Offboarded(Answer):
    """Ask again until `orders_left` is 0: these could not be changed in time."""

    user: User
    keys_revoked: int
    orders_changed: int
    orders_left: int


class Users(Calls):
    """`if_match` is the `etag` of the user as it was read: changed since, it is left as it is."""

    def user_page(self, limit: int = 50, cursor: str | None = None) -> UserPage:
        """Up to `limit` users by their names."""
        return self._get(UserPage, _USERS, limit=limit, cursor=cursor)

    def users(self, limit: int = 200) -> Iterator[User]:
        """Every user, asked for in pages of `limit`."""
        page = self.user_page(limit)
        yield from page.users
        while page.next_cursor is not None:
            page = self.user_page(limit, page.next_cursor)
            yield from page.users

    def user(self, account_id: str) -> User:
        """A user as it is now."""
        return self._get(User, _path(account_id))

    def add_user(self, username: str, password: str, role: Role, idempotency_key: str | None = None) -> User:
        """A new account."""
        body = {"username": username, "password": password, "role": role}
        return self._parse(User, self._change("POST", _USERS, body, idempotency_key))

    def change_user(
        self,
        account_id: str,
        changes: Mapping[str, object],
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> User:
        """Change `role`, `is_active`, `password`, `requests_per_minute`; what is not named stays."""
        return self._parse(User, self._change("PATCH", _path(account_id), changes, idempotency_key, if_match))

    def log_user_out(self, account_id: str, *, revoke_keys: bool = False, idempotency_key: str | None = None) -> None:
        """End every login of a user, and with `revoke_keys` the keys; repeating it is harmless."""
        query = {"revoke_keys": str(revoke_keys).lower()}
        self._change("POST", f"{_path(account_id)}/logout", None, idempotency_key, query=query)

    def offboard(
        self,
        account_id: str,
        open_orders: OpenOrders,
        if_match: str | None = None,
        idempotency_key: str | None = None,
    ) -> Offboarded:
        """End all that a user may do: logins, keys, streams, webhooks; and do this with the open orders."""
        path, body = f"{_path(account_id)}/offboard", {"open_orders": open_orders}
        return self._parse(Offboarded, self._change("POST", path, body, idempotency_key, if_match))

    def remove_second_factor(self, account_id: str, idempotency_key: str | None = None) -> None:
        """Let a user who has lost the second factor log in with the password alone."""
        self._change("DELETE", f"{_path(account_id)}/second-factor", None, idempotency_key)

    def user_limits(self, account_id: str, broker_account: str | None = None) -> AccountLimits:
        """What a user may do at most with a broker account, and what is left."""
        return self._get(AccountLimits, f"{_path(account_id)}/limits", broker_account=broker_account)

    def set_user_limits(
        self, account_id: str, limits: Mapping[str, object], idempotency_key: str | None = None
    ) -> AccountLimits:
        """Set all limits of a user in place of what held before; what is not named is the installation's again."""
        path = f"{_path(account_id)}/limits"
        return self._parse(AccountLimits, self._change("PUT", path, limits, idempotency_key))

    def user_policy(self, account_id: str) -> AccountPolicy:
        """How the orders of a user catch up that do not state it."""
        return self._get(AccountPolicy, f"{_path(account_id)}/policy")

    def set_user_policy(
        self, account_id: str, policy: NewCatchUpPolicy, idempotency_key: str | None = None
    ) -> AccountPolicy:
        """Set all of it in place of what held before; repeating it is harmless."""
        return self._parse(AccountPolicy, self._change("PUT", f"{_path(account_id)}/policy", policy, idempotency_key))


def _path(account_id: str) -> str:
    return f"{_USERS}/{part(account_id)}"
