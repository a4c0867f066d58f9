"""How a refresh token or an API key says which cell it is of: by a dot and the cell's name, without any the default."""

from gapi_app.cells.directory import NAME

_DOT = "."


def tagged(text: str, tag: str | None) -> str:
    """What a client is given of a token or key that a cell has made."""
    return text if tag is None else f"{text}{_DOT}{tag}"


def untagged(text: str) -> tuple[str, str | None]:
    """What the cell has made, and its tag."""
    made, dot, tag = text.rpartition(_DOT)
    return (made, tag) if dot and NAME.fullmatch(tag) else (text, None)
