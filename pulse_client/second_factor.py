"""The second factor of one's own login."""

from collections.abc import Mapping

from pulse_client.calls import Calls, proof
from pulse_client.models import Enrolment, RecoveryCodes, SecondFactor

_PATH = "/api/auth/second-factor"


class SecondFactors(Calls):
    """Turning one on or off ends every login. No call is repeated by itself: a code is taken once."""

    def second_factor(self) -> SecondFactor:
        """Whether the account has a second factor, and how many recovery codes are left."""
        return self._get(SecondFactor, _PATH)

    def enrol(self, password: str, code: str | None = None) -> Enrolment:
        """Begin with a second factor; with a `code`, with a new one in place of that which is on."""
        return self._parse(Enrolment, self._change_without_key("POST", _PATH, {"password": password} | proof(code)))

    def confirm_second_factor(self, totp_code: str) -> list[str]:
        """Turn it on by a first code. Keep the recovery codes."""
        return self._recovery_codes("confirm", {"totp_code": totp_code})

    def renew_recovery_codes(self, password: str, code: str) -> list[str]:
        """New recovery codes in place of all that were left."""
        return self._recovery_codes("recovery-codes", {"password": password} | proof(code))

    def disable_second_factor(self, password: str, code: str) -> None:
        """Let the password alone be enough again."""
        self._change("POST", f"{_PATH}/disable", {"password": password} | proof(code))

    def _recovery_codes(self, step: str, body: Mapping[str, str]) -> list[str]:
        return self._parse(RecoveryCodes, self._change_without_key("POST", f"{_PATH}/{step}", body)).recovery_codes
