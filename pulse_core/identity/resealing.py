"""The secrets of second factors, sealed anew while the key that seals them is changed."""

from pulse_core import db
from pulse_core.identity.proof import seal
from pulse_core.identity.store import second_factors
from pulse_core.sealing import Resealed, reseal_each


def reseal_second_factors() -> Resealed:
    """Seal what older keys have sealed with the first of PULSE_TOTP_KEY, one row after the other.

    Raises KeyMissing, DatabaseUnavailable.
    """
    with db.transaction() as session:
        found = second_factors.every_account(session)
    return reseal_each(found, _reseal)


def _reseal(account_id: str) -> bool:
    with db.transaction() as session:
        row = second_factors.lock(session, account_id)
        if row is None:
            return False
        held = {"secret": row.secret, "new_secret": row.new_secret}
        resealed = {name: seal().resealed(text, account_id) for name, text in held.items() if text is not None}
        changed = {name: text for name, text in resealed.items() if text is not None}
        if changed:
            second_factors.keep_secrets(session, account_id, **changed)
        return bool(changed)
