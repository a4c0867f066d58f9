"""The keys and passwords of a stack: generated once, kept in a private file, handed on by environment only."""

import json
import secrets
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path

from pulse_ops.stack.files import write_private


def _key() -> str:
    return secrets.token_urlsafe(48)


def _password() -> str:
    return secrets.token_urlsafe(15)


@dataclass(frozen=True)
class Keys:
    service_token_key: str = field(default_factory=_key)
    jwt_key: str = field(default_factory=_key)
    totp_key: str = field(default_factory=_key)
    demo_password: str = field(default_factory=_password)
    flower_password: str = field(default_factory=_password)


def kept_keys(data_dir: Path) -> Keys:
    """The keys of this folder, the missing ones generated."""
    path = data_dir / "secrets.json"
    kept = json.loads(path.read_text()) if path.exists() else {}
    names = {one.name for one in fields(Keys)}
    keys = Keys(**{name: value for name, value in kept.items() if name in names})
    if asdict(keys) != kept:
        write_private(path, json.dumps(asdict(keys), indent=2) + "\n")
    return keys
