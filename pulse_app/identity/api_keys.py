"""API keys: one's own, everybody's for admins, and what the gateway asks about each."""

from typing import Any

from api_contract.errors import InvalidRequest, NotFound, Unauthorized
from api_contract.ids import KEY_ID
from api_contract.scopes import Standing
from api_contract.shapes.api_keys import KEY_QUERY, KeyListSchema, KeySchema, MadeKeySchema
from api_contract.shapes.internal import KEY_TEXT, NEW_KEY, HolderSchema
from api_contract.shapes.users import PAGE_QUERY
from pulse_app.auth import account_id, require_service_token
from pulse_app.blueprint import Blueprint
from pulse_app.identity.second_factor import proof_of
from pulse_app.identity.sessions import of_the_user
from pulse_core.clock import utcnow
from pulse_core.identity import accounts, api_keys
from pulse_core.identity.api_keys import KeyPage, KeyReport
from pulse_core.owner import EveryAccount, OneAccount

_SHOWN = ("id", "account_id", "name", "scopes", "networks", "created_at", "expires_at", "last_used_at", "revoked_at")

blueprint = Blueprint("keys", __name__, url_prefix="/internal/keys", description="API keys")
blueprint.before_request(require_service_token)


@blueprint.route("", methods=["GET"])
@blueprint.needs(Standing.LOGIN)
@blueprint.arguments(PAGE_QUERY, location="query")
@blueprint.response(200, KeyListSchema)
def list_keys(query: dict[str, Any]) -> KeyPage:
    """The account's keys, newest first."""
    return api_keys.key_page(OneAccount(account_id()), query["limit"], _after(query), query.get("cursor"))


@blueprint.route("", methods=["POST"])
@blueprint.needs(Standing.LOGIN)
@blueprint.arguments(NEW_KEY)
@blueprint.response(201, MadeKeySchema)
@blueprint.refuses("NOT_FOUND", "INVALID_STATE", "RATE_LIMITED")
def add_key(new: dict[str, Any]) -> dict[str, Any]:
    """Make a key for one who knows the account's password; its text is in this answer and nowhere else."""
    who, now = account_id(), utcnow()
    accounts.confirm(who, new["password"], new["address"], now, proof=proof_of(new))
    made = api_keys.add_key(who, new["name"], new["scopes"], new["expires_in_days"], now, networks=new["networks"])
    return {name: getattr(made.key, name) for name in _SHOWN} | {"api_key": made.text}


@blueprint.route("/<key_id>", methods=["DELETE"])
@blueprint.needs(Standing.LOGIN)
@blueprint.takes_key()
@blueprint.response(200, KeySchema)
@blueprint.refuses("NOT_FOUND")
def revoke_key(key_id: str) -> KeyReport:
    """Revoke a key of the account; repeating it is harmless."""
    who = account_id()
    return api_keys.revoke_key(OneAccount(who), _known(key_id), who, utcnow())


@blueprint.route("/all", methods=["GET"])
@blueprint.needs(Standing.ADMIN)
@blueprint.arguments(KEY_QUERY, location="query")
@blueprint.response(200, KeyListSchema)
def list_all_keys(query: dict[str, Any]) -> KeyPage:
    """Everybody's keys, or those of one account, newest first; for admins."""
    asked = query.get("account_id")
    owner = EveryAccount() if asked is None else OneAccount(asked)
    return api_keys.key_page(owner, query["limit"], _after(query), query.get("cursor"))


@blueprint.route("/all/<key_id>", methods=["DELETE"])
@blueprint.needs(Standing.ADMIN)
@blueprint.takes_key()
@blueprint.response(200, KeySchema)
@blueprint.refuses("NOT_FOUND")
def revoke_any_key(key_id: str) -> KeyReport:
    """Revoke anybody's key; for admins."""
    return api_keys.revoke_key(EveryAccount(), _known(key_id), account_id(), utcnow())


@blueprint.route("/holder", methods=["POST"])
@blueprint.needs(Standing.GATEWAY)
@blueprint.arguments(KEY_TEXT)
@blueprint.response(200, HolderSchema)
def name_holder(given: dict[str, str]) -> api_keys.Holder:
    """Say whom a key speaks for and what it may do; for the gateway itself."""
    try:
        return api_keys.holder_of(given["api_key"], utcnow())
    except Unauthorized as refused:
        raise of_the_user(refused) from None


def _known(key_id: str) -> str:
    if not KEY_ID.fullmatch(key_id):
        raise NotFound("there is no such key")
    return key_id


def _after(query: dict[str, Any]) -> str | None:
    after: str | None = query.get("after")
    if after is not None and not KEY_ID.fullmatch(after):
        raise InvalidRequest("after must be a key_id", {"field": "after"})
    return after
