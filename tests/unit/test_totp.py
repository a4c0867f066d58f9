"""Codes as RFC 6238 has them, each taken once and about its time."""

import base64
from datetime import UTC, datetime, timedelta

import pytest

from api_contract.account_rules import RECOVERY_CODE
from pulse_core.identity import totp
from pulse_core.sealing import Seal, Unreadable

# Of the appendix of RFC 6238; its codes have eight digits, of which apps show the last six.
SECRET = base64.b32encode(b"12345678901234567890").decode()
VECTORS = {59: "94287082", 1111111109: "07081804", 1111111111: "14050471", 2000000000: "69279037"}
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
PERIOD = timedelta(seconds=totp.PERIOD_SECONDS)


def test_a_qr_code_is_square_with_its_marks_in_three_corners() -> None:
    rows = totp.qr_rows(totp.uri(SECRET, "meera"))
    assert {len(row) for row in rows} == {len(rows)}
    assert set("".join(rows)) == {"0", "1"}
    mark = "1" * 7
    assert (rows[0][:7], rows[0][-7:], rows[-1][:7]) == (mark, mark, mark)
    assert rows[-1][-7:] != mark


@pytest.mark.parametrize(("seconds", "code"), VECTORS.items())
def test_codes_are_those_of_the_rfc(seconds: int, code: str) -> None:
    assert totp.code_of(SECRET, totp.step_at(datetime.fromtimestamp(seconds, UTC))) == code[-totp.DIGITS :]


@pytest.mark.parametrize(("periods", "is_taken"), [(-2, False), (-1, True), (0, True), (1, True), (2, False)])
def test_a_clock_may_be_one_period_off(periods: int, is_taken: bool) -> None:
    shown = totp.code_of(SECRET, totp.step_at(NOW + periods * PERIOD))
    assert (totp.step_of(SECRET, shown, NOW, None) is not None) is is_taken


def test_no_period_is_taken_again_or_after_a_later_one() -> None:
    step = totp.step_at(NOW)
    codes = [totp.code_of(SECRET, one) for one in (step - 1, step, step + 1)]
    assert [totp.step_of(SECRET, code, NOW, step) for code in codes] == [None, None, step + 1]


def test_an_app_reads_whose_it_is_and_the_secret() -> None:
    assert totp.uri(SECRET, "meera@home") == (
        f"otpauth://totp/Pulse:meera%40home?digits=6&secret={SECRET}&algorithm=SHA1&issuer=Pulse&period=30"
    )


def test_recovery_codes_differ_and_may_be_typed_as_people_do() -> None:
    codes = totp.new_recovery_codes()
    assert len(set(codes)) == totp.RECOVERY_CODES
    assert all(RECOVERY_CODE.fullmatch(code) for code in codes)
    first, typed = codes[0], codes[0].upper().replace("-", "")
    assert (
        totp.recovery_hash("acc_1", first) == totp.recovery_hash("acc_1", typed) != totp.recovery_hash("acc_2", first)
    )


@pytest.mark.parametrize(
    ("key", "purpose", "owner"),
    [("k" * 32, "notes", "acc_1"), ("j" * 32, "tests", "acc_1"), ("k" * 32, "tests", "acc_2")],
)
def test_what_is_sealed_opens_by_its_key_for_its_purpose_and_owner_alone(key: str, purpose: str, owner: str) -> None:
    seal = Seal([b"k" * 32], "tests")
    sealed = seal.sealed("a secret", "acc_1")
    assert seal.opened(sealed, "acc_1") == "a secret"
    with pytest.raises(Unreadable):
        Seal([key.encode()], purpose).opened(sealed, owner)
