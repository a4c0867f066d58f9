"""Imports without what a library would load beside it, because that happens to be installed or might be wanted."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType
from typing import cast


@contextmanager
def left_out(*packages: str) -> Iterator[None]:
    """Let imports inside the block not find these packages, unless they are loaded already."""
    with _in_place_of(dict.fromkeys(packages)):
        yield


@contextmanager
def stood_in_for(module: str, *names: str) -> Iterator[None]:
    """Let imports inside the block find a module that has these names and nothing else, unless it is loaded already."""
    standing_in = ModuleType(module)
    vars(standing_in).update(dict.fromkeys(names))
    with _in_place_of({module: standing_in}):
        yield


@contextmanager
def _in_place_of(given: dict[str, ModuleType | None]) -> Iterator[None]:
    # None is how the import system is told that there is no such module.
    modules = cast("dict[str, ModuleType | None]", sys.modules)
    put = {name: module for name, module in given.items() if name not in modules}
    modules.update(put)
    try:
        yield
    finally:
        for name in put:
            del modules[name]
