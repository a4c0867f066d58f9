"""The account that a newcomer trades with at the paper exchange."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass

from api_contract.errors import InvalidState, Unauthorized
from api_contract.scopes import Role
from api_contract.secret_files import set_variables
from pulse_core import config, db
from pulse_core.clock import utcnow
from pulse_core.identity import accounts
from pulse_ops.stack.config import StackSettings
from pulse_ops.stack.secrets import Keys

NAME = "demo"


@dataclass(frozen=True)
class DemoUser:
    username: str
    password: str


def ensure_demo_user(settings: StackSettings, keys: Keys, environment: Mapping[str, str]) -> DemoUser | None:
    """The demo account of this stack, made at the first start; None where real money is traded."""
    if settings.broker != "paper":
        return None
    set_variables(environment)
    config.settings.cache_clear()
    try:
        return DemoUser(_usable_name(keys.demo_password), keys.demo_password)
    finally:
        db.engine().dispose()


def _usable_name(password: str) -> str:
    """`demo`, or a name of our own where another stack on the same database has taken it."""
    own = f"{NAME}-{hashlib.sha256(password.encode()).hexdigest()[:6]}"
    for name in (NAME, own):
        try:
            accounts.add_account(name, password, Role.TRADER, utcnow())
        except InvalidState:
            if not _is_ours(name, password):
                continue
        return name
    return own


def _is_ours(name: str, password: str) -> bool:
    try:
        accounts.authenticate(name, password)
    except Unauthorized:
        return False
    return True
