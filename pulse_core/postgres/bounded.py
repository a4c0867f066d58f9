"""A bounded choice of rows for a statement that changes them."""

from typing import Any

from sqlalchemy import Select, select


def chosen_once(rows: Select[Any] | Select[Any, Any]) -> Select[Any]:
    """The same rows, for IN: chosen once, before anything is changed.

    A plain subquery with a limit may be run again for each row that is looked at, and what it had locked is skipped by
    then or not: more rows would be changed than the limit allows.
    """
    chosen = rows.cte("chosen")
    return select(*chosen.columns)
