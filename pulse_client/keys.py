"""API keys, one's own and, for admins, everybody's."""

from collections.abc import Iterator, Sequence
from dataclasses import field
from datetime import datetime

from pulse_client.calls import Calls, part, proof
from pulse_client.reading import Answer

_OWN, _ALL = "/api/keys", "/api/admin/keys"


class Key(Answer):
    """`networks` are where it may be used from, none for anywhere. `last_used_at` is to the minute."""

    key_id: str
    account_id: str
    name: str
    scopes: list[str]
    networks: list[str]
    created_at: datetime
    expires_at: datetime
    last_used_at: datetime | None
    revoked_at: datetime | None


class MadeKey(Key):
    """`api_key` is the key itself, told this once."""

    api_key: str = field(repr=False)


class KeyPage(Answer):
    keys: list[Key]
    next_cursor: str | None


class Keys(Calls):
    """Whoever makes or revokes a key is logged in: no key makes another."""

    def key_page(self, limit: int = 50, cursor: str | None = None) -> KeyPage:
        """Up to `limit` keys of the account."""
        return self._get(KeyPage, _OWN, limit=limit, cursor=cursor)

    def keys(self, limit: int = 200) -> Iterator[Key]:
        """Every key of the account, asked for in pages of `limit`."""
        page = self.key_page(limit)
        yield from page.keys
        while page.next_cursor is not None:
            page = self.key_page(limit, page.next_cursor)
            yield from page.keys

    def add_key(
        self,
        name: str,
        scopes: Sequence[str],
        password: str,
        *,
        expires_in_days: int = 90,
        networks: Sequence[str] = (),
        code: str | None = None,
    ) -> MadeKey:
        """A key with these scopes. Takes the password again, and a `code` where a second factor is on.

        It is sent once: where no answer came, see with `keys` whether it was made.
        """
        body: dict[str, object] = {"name": name, "scopes": list(scopes), "password": password}
        body |= {"expires_in_days": expires_in_days, "networks": list(networks)} | proof(code)
        return self._parse(MadeKey, self._change_without_key("POST", _OWN, body))

    def revoke_key(self, key_id: str, idempotency_key: str | None = None) -> Key:
        """End a key of the account; repeating it is harmless."""
        return self._parse(Key, self._change("DELETE", f"{_OWN}/{part(key_id)}", None, idempotency_key))

    def all_key_page(self, account_id: str | None = None, limit: int = 50, cursor: str | None = None) -> KeyPage:
        """Up to `limit` keys of everybody or of one account; for admins."""
        return self._get(KeyPage, _ALL, account_id=account_id, limit=limit, cursor=cursor)

    def revoke_any_key(self, key_id: str, idempotency_key: str | None = None) -> Key:
        """End anybody's key; for admins. Repeating it is harmless."""
        return self._parse(Key, self._change("DELETE", f"{_ALL}/{part(key_id)}", None, idempotency_key))
