"""Routes about the account."""

from flask import Blueprint, Response

from pulse_ops.paper_exchange.context import success
from pulse_ops.paper_exchange.user.profile import profile

user = Blueprint("user", __name__)


@user.get("/user/profile")
def show_profile() -> Response:
    """Who is logged in."""
    return success(profile())
