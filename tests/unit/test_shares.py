"""How the threads of a process are shared out among broker accounts."""

from contextlib import ExitStack

from pulse_core.trading.slice.shares import MOST_ASIDE, Shares


def taken_by(account: str, shares: Shares, held: ExitStack, *, is_alone: bool = False, most: int = 100) -> int:
    """How many threads the account is given, one after the other, and keeps."""
    for number in range(most):
        if not held.enter_context(shares.share_of(account, is_alone=is_alone)):
            return number
    return most


def test_the_first_account_gets_half_the_second_half_of_the_rest_and_each_gets_one() -> None:
    with ExitStack() as held:
        shares = Shares(32)
        assert [taken_by(name, shares, held) for name in "abcdef"] == [16, 8, 4, 2, 1, 1]
        assert taken_by("g", shares, held) == 0


def test_one_that_is_alone_has_all_threads() -> None:
    with ExitStack() as held:
        assert taken_by("a", Shares(4), held, is_alone=True) == 100


def test_a_thread_that_is_over_is_free_again_and_a_refused_one_was_none() -> None:
    shares = Shares(2)
    for _ in range(3):
        with ExitStack() as held:
            assert taken_by("a", shares, held) == 1
            assert taken_by("b", shares, held) == 1


def test_a_worker_of_one_thread_gives_it_to_whoever_comes_first() -> None:
    with ExitStack() as held:
        shares = Shares(1)
        assert [taken_by(name, shares, held) for name in "ab"] == [1, 0]


def test_without_a_number_there_are_as_many_as_are_asked_for() -> None:
    with ExitStack() as held:
        assert taken_by("a", Shares(), held) == 100


def test_what_found_no_thread_is_given_back_once_and_not_more_of_it_than_is_kept() -> None:
    shares = Shares(2)
    for number in range(MOST_ASIDE + 1):
        shares.put_aside("a", [f"sl_{number}"])
    shares.put_aside("b", ["sl_of_b"])

    found = shares.take_aside("a")
    assert (len(found), found[0], found[-1]) == (MOST_ASIDE, ["sl_1"], [f"sl_{MOST_ASIDE}"])
    assert [shares.take_aside(name) for name in "ab"] == [(), (["sl_of_b"],)]
