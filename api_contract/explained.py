"""Words that say what they mean where they are defined."""

from enum import StrEnum
from typing import Self


class Explained(StrEnum):
    """A word that is stored and compared, with one line for people, which may be reworded at any time."""

    _value_: str
    meaning: str

    # A type checker takes a look-up, such as SliceStatus("FILLED"), for a call of this.
    def __new__(cls, word: str, meaning: str = "") -> Self:
        explained = str.__new__(cls, word)
        explained._value_ = word
        explained.meaning = meaning
        return explained
