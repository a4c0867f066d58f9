"""Whether two processes were given the same settings, told without a word of them."""

import hashlib

from pydantic import SecretStr

from pulse_core.config import KEYS, Settings

# Each process of a host has its own port; a key that a process does not need it lacks.
OF_ONE_PROCESS = frozenset({"metrics_port", "pulse_service_public_keys", *KEYS})


def digest(settings: Settings) -> str:
    """The same for two processes with equal settings, secrets and their own ports aside: no process has all secrets."""
    shared = sorted(type(settings).model_fields.keys() - OF_ONE_PROCESS)
    values = {name: getattr(settings, name) for name in shared}
    open_values = [f"{name}={_plain(value)}" for name, value in values.items() if not isinstance(value, SecretStr)]
    return hashlib.sha256("\n".join(open_values).encode()).hexdigest()


def _plain(value: object) -> str:
    # The order of a set is another in each process.
    return ",".join(sorted(value)) if isinstance(value, frozenset) else str(value)
