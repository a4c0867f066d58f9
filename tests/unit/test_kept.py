"""An answer that is made once in a while, however often it is asked for; a refusal too."""

from concurrent.futures import ThreadPoolExecutor

import pytest

from api_contract.errors import ServiceUnavailable
from api_contract.kept import Kept


class Maker:
    def __init__(self) -> None:
        self.made = 0
        self.is_away = False

    def __call__(self) -> int:
        self.made += 1
        if self.is_away:
            raise ServiceUnavailable("away")
        return self.made


def test_it_is_made_anew_after_its_time() -> None:
    make, now = Maker(), [0.0]
    kept = Kept(make, seconds=1.0, clock=lambda: now[0])
    answers = []
    for now[0] in (0.0, 0.5, 0.99, 1.0, 1.5, 2.5):
        answers.append(kept.get())
    assert answers == [1, 1, 1, 2, 2, 3]


def test_a_refusal_is_kept_as_long() -> None:
    make, now = Maker(), [0.0]
    kept = Kept(make, seconds=1.0, clock=lambda: now[0])
    make.is_away = True
    for now[0] in (0.0, 0.5):
        with pytest.raises(ServiceUnavailable, match="away"):
            kept.get()
    make.is_away = False
    with pytest.raises(ServiceUnavailable):
        kept.get()
    now[0] = 1.0
    assert (kept.get(), make.made) == (2, 2)


def test_many_at_once_have_it_made_once() -> None:
    make = Maker()
    kept = Kept(make, seconds=60)
    with ThreadPoolExecutor(16) as threads:
        assert set(threads.map(lambda _number: kept.get(), range(200))) == {1}
