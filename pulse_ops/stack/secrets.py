"""The keys and passwords of a stack: generated once, kept in a private file, handed on by environment only."""

import json
import os
import secrets
from dataclasses import asdict, dataclass, field, fields
from datetime import UTC, datetime
from pathlib import Path

from api_contract.key_strength import FORMER_KEY
from api_contract.service_keys import ServiceRight, make_private_key, new_kid, public_jwk, public_keys
from api_contract.service_tokens import GAPI
from pulse_ops.stack.files import write_private


def random_key() -> str:
    """A key for one of the purposes that have a symmetric one."""
    return secrets.token_urlsafe(48)


def new_vault_key() -> str:
    """A key of the ring that seals credentials at brokers, with an id by its day, as `PULSE_VAULT_KEYS` has it."""
    return f"{datetime.now(UTC):%Y%m%d}-{secrets.token_hex(2)}:{random_key()}"


def gapi_key() -> str:
    """A private key for the gateway."""
    return make_private_key(GAPI, new_kid(GAPI, datetime.now(UTC).date()))


def known_by(private_key: str) -> str:
    """The public keys of a pulse that is called by this gateway alone."""
    return public_keys(public_jwk(private_key, [ServiceRight.GATEWAY]))


def _password() -> str:
    return secrets.token_urlsafe(15)


@dataclass(frozen=True)
class Keys:
    service_private_key: str = field(default_factory=gapi_key)
    jwt_key: str = field(default_factory=random_key)
    cursor_key: str = field(default_factory=random_key)
    idempotency_key: str = field(default_factory=random_key)
    webhook_key: str = field(default_factory=random_key)
    totp_key: str = field(default_factory=random_key)
    vault_keys: str = field(default_factory=new_vault_key)
    demo_password: str = field(default_factory=_password)


def kept_keys(data_dir: Path) -> Keys:
    """The keys of this folder, the missing ones generated."""
    path = data_dir / "secrets.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    names = {one.name for one in fields(Keys)}
    keys = Keys(**_former(kept) | {name: value for name, value in kept.items() if name in names})
    if asdict(keys) != kept:
        write_private(path, json.dumps(asdict(keys), indent=2) + "\n")
    return keys


def _former(kept: dict[str, str]) -> dict[str, str]:
    """What sealed the webhooks' secrets before: they can be opened with no other key."""
    former = os.environ.get(FORMER_KEY) or kept.get("service_token_key")
    return {"webhook_key": former} if former else {}
