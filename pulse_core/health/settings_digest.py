"""Whether two processes were given the same settings, told without a word of them."""

import hashlib
import hmac

from pydantic import SecretStr

from pulse_core.config import Settings

# Each process of a host has its own.
OF_ONE_PROCESS = frozenset({"metrics_port"})


def digest(settings: Settings) -> str:
    """The same for two processes with equal settings, secrets and their own ports aside.

    The key that signs calls between the services keys the hash: without it nobody can try values out.
    """
    shared = sorted(type(settings).model_fields.keys() - OF_ONE_PROCESS)
    values = {name: getattr(settings, name) for name in shared}
    open_values = [f"{name}={_plain(value)}" for name, value in values.items() if not isinstance(value, SecretStr)]
    key = settings.pulse_service_token_key.get_secret_value().encode()
    return hmac.new(key, "\n".join(open_values).encode(), hashlib.sha256).hexdigest()


def _plain(value: object) -> str:
    # The order of a set is another in each process.
    return ",".join(sorted(value)) if isinstance(value, frozenset) else str(value)
