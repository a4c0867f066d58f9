"""Stop what is traded, and let it go on."""

from pulse_client.calls import Calls, part
from pulse_client.halt_models import Halt, HaltedSlicePage, HaltPage
from pulse_client.vocabulary import HaltedState, HaltedWorking


class Halts(Calls):
    def halt(
        self,
        reason: str,
        *,
        account_id: str | None = None,
        broker_account: str | None = None,
        instrument: str | None = None,
        working: HaltedWorking = HaltedWorking.CANCEL,
    ) -> Halt:
        """Send nothing new of what is named, of everything if nothing is; a trader's own orders alone.

        What works is called back unless it is kept. Repeating it answers the halt that is in force.
        """
        named = {"account_id": account_id, "broker_account": broker_account, "instrument": instrument}
        body = {"reason": reason, "working": working, **{name: one for name, one in named.items() if one is not None}}
        return self._parse(Halt, self._change("POST", "/api/halt", body))

    def release_halt(self, halt_id: str) -> Halt:
        """Let what was halted go on, in the rest of its window and without a rush; repeating it is harmless."""
        return self._parse(Halt, self._change("POST", f"/api/halt/{part(halt_id)}/release"))

    def halts(self, *, in_force: bool | None = None, limit: int = 20, cursor: str | None = None) -> HaltPage:
        """Up to `limit` halts, the latest first: those in force, or those that are not; without a wish both."""
        wish = None if in_force is None else str(in_force).lower()
        return self._get(HaltPage, "/api/halts", in_force=wish, limit=limit, cursor=cursor)

    def halt_receipt(self, halt_id: str) -> Halt:
        """One halt as it stands: right at every moment."""
        return self._get(Halt, f"/api/halts/{part(halt_id)}")

    def halted_slices(
        self, halt_id: str, state: HaltedState | None = None, limit: int = 100, cursor: str | None = None
    ) -> HaltedSlicePage:
        """Up to `limit` slices of a receipt; without a state, all that were or may be at the broker."""
        path = f"/api/halts/{part(halt_id)}/slices"
        return self._get(HaltedSlicePage, path, state=state, limit=limit, cursor=cursor)
