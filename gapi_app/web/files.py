"""The files of the page, read and compressed once, below a digest of all of them."""

import gzip
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from html import escape
from importlib.resources import files
from importlib.resources.abc import Traversable
from posixpath import dirname, join, normpath

PREFIX = "/app/static"
_PAGE, _STYLES, _STYLE = "index.html", "styles/", "styles.css"
# Below it a compressed file is hardly shorter.
_LEAST_BYTES = 256
_TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml", "html": "text/html"}
# What the first view takes; the scripts of the others are loaded when they are first opened.
_FIRST = ("main.js", "pages/orders.js")
# Who is logged in is asked before the rest has come.
_LOGIN = ("session.js",)
_IMPORTED = re.compile(r"""^(?:import|export)\b[^;"']*["'](\.[^"']+)["'];""", re.MULTILINE)


# Lines that are comment alone, types and indentation: nobody who trades waits for them. What is vendored is served to
# the byte.
_COMMENTS = re.compile(rb"^[ \t]*(?:/\*(?:(?!\*/)(?s:.))*\*/[ \t]*\n|//[^\n]*\n)", re.MULTILINE)
_STATED_TYPES = re.compile(rb"/\*\* @(?:type|param|returns)\b(?:(?!\*/).)*\*/ ?")
_INDENTATION = re.compile(rb"^\s+", re.MULTILINE)
_WITH_COMMENTS, _AS_IT_CAME = (".js", ".css"), "vendor/"


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
    read = _with_one_style(dict(_read(files("gapi_app.web") / "static")))
    digest = hashlib.sha256(b"".join(f"{name}\0{len(one)}\0".encode() + one for name, one in sorted(read.items())))
    short = digest.hexdigest()[:20]
    page = read.pop(_PAGE).decode().replace("<!-- files -->", "\n".join(_links(short, read)))
    return Site(
        short, _file(_PAGE, page.replace("@digest@", short).encode()), {name: _file(name, read[name]) for name in read}
    )


def _read(folder: Traversable, above: str = "") -> Iterator[tuple[str, bytes]]:
    for one in folder.iterdir():
        name = f"{above}{one.name}"
        if one.is_dir():
            yield from _read(one, f"{name}/")
        elif name.rpartition(".")[2] in _TYPES:
            content = one.read_bytes()
            yield name, _shorter(content) if _may_be_shorter(name) else content


def _with_one_style(read: Mapping[str, bytes]) -> dict[str, bytes]:
    """The styles are one file, in the order of their names: the page waits for all of them."""
    styles = [name for name in sorted(read) if name.startswith(_STYLES)]
    joined = b"".join(read[name] for name in styles)
    return {name: content for name, content in read.items() if name not in styles} | {_STYLE: joined}


def _shorter(content: bytes) -> bytes:
    return _INDENTATION.sub(b"", _STATED_TYPES.sub(b"", _COMMENTS.sub(b"", content)))


def _may_be_shorter(name: str) -> bool:
    return name.endswith(_WITH_COMMENTS) and not name.startswith(_AS_IT_CAME)


def _links(digest: str, read: Mapping[str, bytes]) -> Iterator[str]:
    yield f'<link rel="stylesheet" href="{PREFIX}/{digest}/{_STYLE}">'
    login = _imported(read, _LOGIN)
    for name in sorted(login) + sorted(_imported(read, _FIRST) - login):
        yield f'<link rel="modulepreload" href="{PREFIX}/{digest}/{escape(name)}">'


def _imported(read: Mapping[str, bytes], names: Iterable[str], known: frozenset[str] = frozenset()) -> frozenset[str]:
    """These scripts, and whatever they import before they run."""
    for name in names:
        if name in read and name not in known:
            found = _IMPORTED.findall(read[name].decode())
            known = _imported(read, (normpath(join(dirname(name), one)) for one in found), known | {name})
    return known


def _file(name: str, content: bytes) -> File:
    zipped = gzip.compress(content, mtime=0) if len(content) >= _LEAST_BYTES else content
    return File(content, zipped, f"{_TYPES[name.rpartition('.')[2]]}; charset=utf-8")
