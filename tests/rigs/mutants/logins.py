"""Defects of logins at the broker and of what is sealed for them."""

from tests.rigs.mutants.defect import TESTS, Change, Defect

_ACCOUNTS = "pulse_core/broker_accounts"
_LOGINS = f"{TESTS}/test_broker_logins.py"
_KEYS = f"{TESTS}/test_keys_alone.py"

LOGINS = (
    Defect(
        "Whoever logs in is taken for the user of the account",
        (
            Change(f"{_ACCOUNTS}/login.py", "        if made.user != expected:\n", "        if not made.user:\n"),
            Change(f"{_ACCOUNTS}/login.py", "        if found != expected:\n", "        if not found:\n"),
        ),
        (f"{_LOGINS}::test_a_login_of_somebody_else_changes_nothing",),
    ),
    Defect(
        "Keys of another account are taken for those of this one",
        (
            Change(
                f"{_ACCOUNTS}/login.py",
                "        if expected is not None and found != expected:\n",
                "        if expected is None and not found:\n",
            ),
        ),
        (f"{_KEYS}::test_keys_that_do_not_work_or_are_of_somebody_else_change_nothing",),
    ),
    Defect(
        "A process keeps the credentials that it has opened once",
        (
            Change(
                f"{_ACCOUNTS}/credentials.py",
                "held is not None and _of(held) == (account.credentials_version, account.credentials_made_at):\n",
                "held is not None:\n",
            ),
        ),
        (f"{_LOGINS}::test_a_login_is_in_use_at_the_next_call_and_the_one_before_is_not",),
    ),
    Defect(
        "What is sealed opens as any account's",
        (Change("pulse_core/sealing.py", "self._ciphers[0].encrypt(nonce, secret.encode(), owner.encode())",
                "self._ciphers[0].encrypt(nonce, secret.encode(), b'')"),
         Change("pulse_core/sealing.py", "stored[_NONCE_BYTES:], owner.encode())", "stored[_NONCE_BYTES:], b'')")),
        (f"{_LOGINS}::test_a_secret_moved_to_another_row_does_not_open",
         "tests/unit/test_vault.py::test_what_is_sealed_opens_as_its_owners_with_its_key_alone"),
    ),
    Defect(
        "The end of a token is not waited for",
        (Change(f"{_ACCOUNTS}/watch_logins.py", "    return hold_account(session, row.broker_account, refusal, now)\n",
                "    return bool(refusal.code)\n"),),
        (f"{_LOGINS}::test_a_token_is_warned_of_once_an_hour_before_and_waited_for_after_its_end",),
    ),
    Defect(
        "Keys are changed and tokens forgotten",
        (Change(f"{_ACCOUNTS}/vault.py", "= _sealed_token(ring, given.access_token, row.broker_account, row.version)\n",
                "= row.token_sealed\n"),),
        (f"{_LOGINS}::test_keys_are_rotated_and_one_that_is_still_needed_is_named",),
    ),
    Defect(
        "Secrets are sealed on with the key that is to go",
        (Change("pulse_core/sealing.py", "self._ciphers[0].encrypt(", "self._ciphers[-1].encrypt("),),
        (f"{TESTS}/test_key_changes.py::test_webhooks_sign_on_while_their_key_is_changed",
         f"{TESTS}/test_key_changes.py::test_second_factors_go_on_while_their_key_is_changed"),
    ),
)  # fmt: skip
