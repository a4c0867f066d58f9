"""Origins, as browsers name them."""

import re

_ORIGIN = re.compile(r"https?://([a-z0-9]([a-z0-9.-]*[a-z0-9])?|\[[0-9a-f:.]+\])(:[1-9][0-9]{0,4})?")


def checked_origin(text: str) -> str:
    """The origin, if it is exactly one. Raises ValueError."""
    if not _ORIGIN.fullmatch(text):
        msg = "must be exact origins, such as https://desk.example.com"
        raise ValueError(msg)
    return text
