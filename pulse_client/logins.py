"""One's own login and password."""

from dataclasses import replace

from pulse_client.calls import Calls, proof


class Logins(Calls):
    """With credentials the next call logs in again."""

    def log_out(self) -> None:
        """End this login, its tokens and its streams."""
        if self._token is not None:
            self._change("POST", "/api/auth/logout")
        self._forget_login()

    def log_out_everywhere(self, *, revoke_keys: bool = False) -> None:
        """End every login of the account, and with `revoke_keys` its keys."""
        self._change("POST", "/api/auth/logout-all", query={"revoke_keys": str(revoke_keys).lower()})
        self._forget_login()

    def change_password(
        self, current_password: str, new_password: str, code: str | None = None, *, revoke_keys: bool = False
    ) -> None:
        """A new password, which ends every login, and with `revoke_keys` the keys; `code` is of the second factor."""
        body = {"current_password": current_password, "new_password": new_password, "revoke_keys": revoke_keys}
        self._change("POST", "/api/auth/password", body | proof(code))
        if self._credentials is not None:
            self._credentials = replace(self._credentials, password=new_password)
        self._forget_login()

    def _forget_login(self) -> None:
        self._refresh_token = None
        if self._credentials is not None:
            self._token = None
