"""Statements kept in files of their own, `sql/<name>.sql` beside the module that runs them."""

from collections.abc import Mapping
from importlib import resources
from typing import Any

from sqlalchemy import TextClause, bindparam, text
from sqlalchemy.types import TypeEngine

Types = Mapping[str, TypeEngine[Any]]


def load(package: str, name: str, binds: Types) -> TextClause:
    """The statement of a file, its bind parameters (`:name`) with these types.

    Raises ValueError unless these are the parameters that it has.
    """
    lines = resources.files(package).joinpath("sql", f"{name}.sql").read_text().splitlines()
    statement = text("\n".join(line for line in lines if not line.lstrip().startswith("--")))
    if set(statement.compile().params) != set(binds):
        raise ValueError(f"{name}.sql has other parameters than {', '.join(sorted(binds))}")
    return statement.bindparams(*(bindparam(bind, type_=kind) for bind, kind in binds.items()))
