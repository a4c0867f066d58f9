"""Whether two processes were given the same settings, told without a word of them."""

import hashlib
import hmac

from pydantic import SecretStr

from pulse_core.config import Settings


def digest(settings: Settings) -> str:
    """The same for two processes with equal settings, secrets aside.

    The key that signs calls between the services keys the hash: without it nobody can try values out.
    """
    values = {name: getattr(settings, name) for name in sorted(type(settings).model_fields)}
    open_values = [f"{name}={_plain(value)}" for name, value in values.items() if not isinstance(value, SecretStr)]
    key = settings.pulse_service_token_key.get_secret_value().encode()
    return hmac.new(key, "\n".join(open_values).encode(), hashlib.sha256).hexdigest()


def _plain(value: object) -> str:
    # The order of a set is another in each process.
    return ",".join(sorted(value)) if isinstance(value, frozenset) else str(value)
