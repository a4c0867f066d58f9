"""The cell that an operator names in a request, and the one that an answer is from."""

from typing import cast

from flask import Flask, Response, g, has_request_context, request

from api_contract.errors import Forbidden, InvalidRequest
from api_contract.scopes import READS_EVERY_ACCOUNT, Caller
from gapi_app.cells.directory import NAME, ONLY, Cell, Cells

HEADER = "Pulse-Cell"
PARAMETER = {
    "name": HEADER,
    "in": "header",
    "description": "The cell that is meant, where accounts are in several; for operators and admins.",
    "schema": {"type": "string", "pattern": f"^{NAME.pattern}$", "examples": [ONLY]},
}


def note_named_cell(cells: Cells, who: Caller) -> None:
    """Note the cell that this request names. Raises InvalidRequest if there is none, Forbidden if it is not his."""
    name = request.headers.get(HEADER)
    if name is None:
        return
    cell = cells.named(name)
    if cell is None:
        raise InvalidRequest("there is no such cell", {"field": HEADER, "rule": "Must be the name of a cell."})
    if who.role not in READS_EVERY_ACCOUNT and cell is not cells.named(who.cell):
        raise Forbidden("the cells of others are for operators and admins", {"field": HEADER})
    g.named_cell = cell


def named_cell() -> Cell | None:
    """The cell that this request names, None where it names none."""
    return cast("Cell | None", g.get("named_cell")) if has_request_context() else None


def note_answered(cell: Cell) -> None:
    """Note which cell was asked last for this request."""
    if has_request_context():
        g.answering_cell = cell


def answering_cell() -> Cell | None:
    """The cell that was asked last for this request."""
    return cast("Cell | None", g.get("answering_cell")) if has_request_context() else None


def forget_answered() -> None:
    """For an answer that is made of those of several cells."""
    if has_request_context():
        g.pop("answering_cell", None)


def tell_cells(app: Flask, cells: Cells) -> None:
    """Say on each answer which cell it is from, where there are several."""
    if len(cells) == 1:
        return

    @app.after_request
    def tell(response: Response) -> Response:
        if cell := answering_cell():
            response.headers[HEADER] = cell.name
        return response
