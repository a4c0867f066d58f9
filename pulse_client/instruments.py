"""What can be traded."""

from pulse_client.calls import Calls, part
from pulse_client.instrument_models import Instrument, InstrumentLoad, InstrumentLoadList, InstrumentPage


class Instruments(Calls):
    def instruments(
        self,
        query: str | None = None,
        exchange: str | None = None,
        limit: int = 50,
        cursor: str | None = None,
        broker: str | None = None,
    ) -> InstrumentPage:
        """Up to `limit` instruments whose symbols begin with `query`, by exchange and symbol."""
        asked = {"query": query, "exchange": exchange, "limit": limit, "cursor": cursor, "broker": broker}
        return self._get(InstrumentPage, "/api/instruments", **asked)

    def instrument(self, instrument: str, broker: str | None = None) -> Instrument:
        """One instrument, by the name that an order gives it, like NSE:RELIANCE."""
        return self._get(Instrument, f"/api/instruments/{part(instrument)}", broker=broker)

    def instrument_loads(self) -> InstrumentLoadList:
        """The latest loads of brokers' lists, for operators and admins."""
        return self._get(InstrumentLoadList, "/api/instrument-loads")

    def load_instruments(self, broker: str | None = None, *, accept_smaller: bool = False) -> InstrumentLoad:
        """Have a worker load the broker's list now; for operators."""
        body = {"accept_smaller": accept_smaller} | ({} if broker is None else {"broker": broker})
        return self._parse(InstrumentLoad, self._change("POST", "/api/instrument-loads", body))
