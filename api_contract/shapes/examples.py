"""The examples of every shape that clients see, by its name."""

from typing import Any

from api_contract.shapes import (
    alarms,
    api_keys,
    broker_accounts,
    broker_logins,
    events,
    halts,
    health,
    installation,
    instruments,
    logins,
    order_requests,
    orders,
    policies,
    previews,
    proof,
    risk,
    slices,
    tokens,
    users,
    webhooks,
)

EXAMPLES: dict[str, Any] = (
    alarms.EXAMPLES
    | api_keys.EXAMPLES
    | broker_accounts.EXAMPLES
    | broker_logins.EXAMPLES
    | events.EXAMPLES
    | halts.EXAMPLES
    | health.EXAMPLES
    | installation.EXAMPLES
    | instruments.EXAMPLES
    | logins.EXAMPLES
    | order_requests.EXAMPLES
    | orders.EXAMPLES
    | policies.EXAMPLES
    | previews.EXAMPLES
    | proof.EXAMPLES
    | risk.EXAMPLES
    | slices.EXAMPLES
    | tokens.EXAMPLES
    | users.EXAMPLES
    | webhooks.EXAMPLES
)
