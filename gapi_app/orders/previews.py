"""Previews of orders: checked like an order, forwarded to pulse, and nothing is made."""

from flask import Response, current_app, jsonify

from api_contract.order_refusals import PREVIEW_REFUSALS
from api_contract.order_rules import NewOrder, check_new_order
from api_contract.scopes import Scope
from api_contract.shapes.order_requests import STATED_ORDER
from api_contract.shapes.previews import OrderPreviewSchema
from gapi_app.access.auth import caller, require_token
from gapi_app.blueprint import Blueprint
from gapi_app.upstream import pulse

blueprint = Blueprint("previews", __name__, url_prefix="/api/orders", description="What an order would be and cost")
blueprint.before_request(require_token)


@blueprint.route("/preview", methods=["POST"])
@blueprint.needs(Scope.ORDERS_WRITE)
@blueprint.arguments(STATED_ORDER)
@blueprint.response(200, OrderPreviewSchema)
@blueprint.refuses(*PREVIEW_REFUSALS)
def preview_order(new_order: NewOrder) -> Response:
    """What an order would be and cost if it were placed now; nothing is made."""
    check_new_order(new_order, current_app.config["EXCHANGES"])
    return jsonify(pulse().preview_order(caller(), new_order))
