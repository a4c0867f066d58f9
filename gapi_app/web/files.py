"""The files of the page, read and compressed once, below a digest of all of them."""

import gzip
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files
from importlib.resources.abc import Traversable

PREFIX = "/app/static"
_PAGE, _STYLES = "index.html", "styles/"
# Below it a compressed file is hardly shorter.
_LEAST_BYTES = 256
_TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml", "html": "text/html"}
# Loaded with the first view; the others when they are first opened.
_LATER = "pages/"
_FIRST = "pages/orders.js"


@dataclass(frozen=True)
class File:
    """A file as it is sent, and compressed."""

    content: bytes
    zipped: bytes
    content_type: str


@dataclass(frozen=True)
class Site:
    """The page, and its files by name; `digest` changes with any of them."""

    digest: str
    page: File
    files: Mapping[str, File]

    def paths(self) -> frozenset[str]:
        """Under which paths the files are served."""
        return frozenset(f"{PREFIX}/{self.digest}/{name}" for name in self.files)


@cache
def site() -> Site:
    """What stands in `static`. Its links lead below the digest, where a name stands for the same bytes forever."""
    read = dict(_read(files("gapi_app.web") / "static"))
    digest = hashlib.sha256(b"".join(f"{name}\0{len(one)}\0".encode() + one for name, one in sorted(read.items())))
    short = digest.hexdigest()[:20]
    page = read.pop(_PAGE).decode().replace("<!-- files -->", "\n".join(_links(short, sorted(read))))
    return Site(
        short, _file(_PAGE, page.replace("@digest@", short).encode()), {name: _file(name, read[name]) for name in read}
    )


def _read(folder: Traversable, above: str = "") -> Iterator[tuple[str, bytes]]:
    for one in folder.iterdir():
        name = f"{above}{one.name}"
        if one.is_dir():
            yield from _read(one, f"{name}/")
        elif name.rpartition(".")[2] in _TYPES:
            yield name, one.read_bytes()


def _links(digest: str, names: Iterable[str]) -> Iterator[str]:
    for name in names:
        path = escape(f"{PREFIX}/{digest}/{name}")
        if name.startswith(_STYLES):
            yield f'<link rel="stylesheet" href="{path}">'
        elif name.endswith(".js") and (name == _FIRST or not name.startswith(_LATER)):
            yield f'<link rel="modulepreload" href="{path}">'


def _file(name: str, content: bytes) -> File:
    zipped = gzip.compress(content, mtime=0) if len(content) >= _LEAST_BYTES else content
    return File(content, zipped, f"{_TYPES[name.rpartition('.')[2]]}; charset=utf-8")
