"""The secrets of webhooks, sealed anew while the key that seals them is changed."""

from pulse_core import db
from pulse_core.events import webhook_secrets
from pulse_core.events.store import webhooks
from pulse_core.events.tables import Webhook
from pulse_core.owner import EveryAccount
from pulse_core.sealing import Resealed, reseal_each


def reseal_webhooks() -> Resealed:
    """Seal what older keys have sealed with the first of PULSE_WEBHOOK_KEY, one row after the other.

    A webhook without a secret of its own gets the one that it signs with. Raises KeyMissing, DatabaseUnavailable.
    """
    with db.transaction() as session:
        found = webhooks.every_id(session)
    return reseal_each(found, _reseal)


def _reseal(webhook_id: str) -> bool:
    with db.transaction() as session:
        row = webhooks.lock(session, EveryAccount(), webhook_id)
        if row is None:
            return False
        changes = {"sealed_secret": _resealed(row), "previous_secret": _previous_resealed(row)}
        changed = {name: sealed for name, sealed in changes.items() if sealed is not None}
        if changed:
            webhooks.keep_secrets(session, webhook_id, **changed)
        return bool(changed)


def _resealed(row: Webhook) -> str | None:
    if row.sealed_secret is None:
        return webhook_secrets.sealed(webhook_secrets.derived_secret(row.id), row.id)
    return webhook_secrets.resealed(row.sealed_secret, row.id)


def _previous_resealed(row: Webhook) -> str | None:
    return None if row.previous_secret is None else webhook_secrets.resealed(row.previous_secret, row.id)
