"""What Kite has and the paper exchange has not: 501 and a sentence, so that nobody takes it for a fault."""

from flask import Blueprint, Response

from pulse_ops.paper_exchange.errors import not_here

elsewhere = Blueprint("elsewhere", __name__)

_LACKING = {
    "gtt": "no orders that wait (GTT)",
    "alerts": "no alerts",
    "mf": "no mutual funds",
    "portfolio/holdings": "no auctions and no authorisation of holdings: sales for delivery need none",
    "instruments/historical": "no historical prices",
    "instruments/trigger_range": "no cover orders",
    "connect/basket": "no offsite orders",
}
_METHODS = ["GET", "POST", "PUT", "DELETE"]


def _route(name: str, lacking: str) -> None:
    def refuse(rest: str = "") -> Response:
        raise not_here(f"The paper exchange has {lacking}.")

    if "/" not in name:
        elsewhere.add_url_rule(f"/{name}", name.replace("/", "_"), refuse, methods=_METHODS)
    elsewhere.add_url_rule(f"/{name}/<path:rest>", name.replace("/", "_"), refuse, methods=_METHODS)


for _name, _lacks in _LACKING.items():
    _route(_name, _lacks)
