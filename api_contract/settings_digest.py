"""Whether two processes were given the same settings: told without a word of them."""

import hashlib
from collections.abc import Collection

from pydantic import SecretStr
from pydantic_settings import BaseSettings


def digest(settings: BaseSettings, of_one_process: Collection[str]) -> str:
    """The same for two processes with equal settings, secrets and those `of_one_process` aside."""
    shared = sorted(type(settings).model_fields.keys() - set(of_one_process))
    values = {name: getattr(settings, name) for name in shared}
    open_values = [f"{name}={plain(value)}" for name, value in values.items() if not isinstance(value, SecretStr)]
    return hashlib.sha256("\n".join(open_values).encode()).hexdigest()


def plain(value: object) -> str:
    """A value as text; the order of a set is another in each process."""
    return ",".join(sorted(value)) if isinstance(value, frozenset) else str(value)
