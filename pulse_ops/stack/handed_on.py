"""Which process is given which secret: what it does not need, it does not get."""

from collections.abc import Mapping

from api_contract.key_strength import FORMER_KEY
from api_contract.secret_files import SUFFIX
from api_contract.variables import QUEUE_URL, RENAMED
from pulse_ops.stack import processes

_DATABASE, _FENCE, _QUEUE = "DATABASE_URL", "PULSE_FENCE_DATABASE_URL", QUEUE_URL
_AT_THE_EXCHANGE = ("KITE_API_KEY", "KITE_ACCESS_TOKEN")
_AT_THE_BROKER = (*_AT_THE_EXCHANGE, "ALPACA_API_KEY", "ALPACA_API_SECRET")
_WORKER = frozenset({_DATABASE, _FENCE, _QUEUE, "PULSE_VAULT_KEYS", *_AT_THE_BROKER})

# Public keys are no secret, but tell whom a process believes.
SECRETS: Mapping[str, frozenset[str]] = {
    processes.EXCHANGE: frozenset({*_AT_THE_EXCHANGE, "KITE_API_SECRET"}),
    processes.WORKER_SLICES: _WORKER,
    processes.WORKER_CONTROL: _WORKER | {"PULSE_WEBHOOK_KEY"},
    processes.PULSE: frozenset(
        {
            _DATABASE,
            _FENCE,
            _QUEUE,
            *_AT_THE_BROKER,
            "KITE_API_SECRET",
            "PULSE_SERVICE_PUBLIC_KEYS",
            "PULSE_CURSOR_KEY",
            "PULSE_IDEMPOTENCY_KEY",
            "PULSE_WEBHOOK_KEY",
            "PULSE_TOTP_KEY",
            "PULSE_VAULT_KEYS",
        }
    ),
    processes.GAPI: frozenset(
        {
            "PULSE_SERVICE_PRIVATE_KEY",
            "PULSE_SERVICE_PUBLIC_KEYS",
            "PULSE_JWT_KEY",
            "PULSE_JWT_KEYS",
            "PULSE_LIMITS_REDIS_URL",
        }
    ),
    processes.BEAT: frozenset({_DATABASE, _FENCE, _QUEUE}),
    processes.FLOWER: frozenset({_QUEUE, "FLOWER_BASIC_AUTH"}),
}
# Of people and of the servers: no process of the services needs them.
_OF_NO_PROCESS = frozenset(
    {
        "PULSE_OWNER_DATABASE_URL",
        "PULSE_USERNAME",
        "PULSE_PASSWORD",
        "POSTGRES_PASSWORD",
        "POSTGRES_SERVICES_PASSWORD",
        "REDIS_PASSWORD",
        "PGPASSWORD",
        FORMER_KEY,
    }
)
EVERY_SECRET = frozenset().union(*SECRETS.values()) | _OF_NO_PROCESS


def handed_on(process: str, environment: Mapping[str, str]) -> dict[str, str]:
    """The same environment without the secrets of others; a server has none of these."""
    kept_back = EVERY_SECRET - SECRETS.get(process, frozenset())
    # Settings are read whatever the case of a variable's name.
    return {name: value for name, value in environment.items() if _secret_in(name.upper()) not in kept_back}


def _secret_in(variable: str) -> str:
    """The variable whose secret this one holds, or names the file of."""
    name = variable.removesuffix(SUFFIX)
    return RENAMED.get(name, name)
