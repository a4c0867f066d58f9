"""Previews of orders: nothing is made."""

from api_contract.order_refusals import PREVIEW_REFUSALS
from api_contract.order_rules import NewOrder
from api_contract.scopes import Scope
from api_contract.shapes.order_requests import STATED_ORDER
from api_contract.shapes.previews import OrderPreviewSchema
from pulse_app.auth import account_id, require_service_token
from pulse_app.blueprint import Blueprint
from pulse_core.clock import utcnow
from pulse_core.trading.order import preview
from pulse_core.trading.order.preview import OrderPreview

blueprint = Blueprint(
    "previews", __name__, url_prefix="/internal/orders", description="What an order would be and cost"
)
blueprint.before_request(require_service_token)


@blueprint.route("/preview", methods=["POST"])
@blueprint.needs(Scope.ORDERS_WRITE)
@blueprint.arguments(STATED_ORDER)
@blueprint.response(200, OrderPreviewSchema)
@blueprint.refuses(*PREVIEW_REFUSALS)
def preview_order(new_order: NewOrder) -> OrderPreview:
    """What an order would be and cost if it were placed now; nothing is made."""
    return preview.preview_order(account_id(), new_order, utcnow())
