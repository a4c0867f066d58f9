"""Rules of the code that no type checker sees: who writes a status, who is pure, who talks to the broker when."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = ROOT / "pulse_core"
PACKAGES = ("api_contract", "gapi_app", "pulse_app", "pulse_client", "pulse_core", "pulse_ops", "pulse_tasks")
SUBJECTS = ("trading", "identity", "events", "health", "idempotency", "instruments", "markets", "risk", "policies")
STORES = [CORE / subject / "store" for subject in (*SUBJECTS, "broker_accounts")]
RULES = [
    *(
        CORE / "trading" / f"{name}.py"
        for name in (
            "status",
            "exposure",
            "schedule",
            "order_plan",
            "catching_up",
            "settlement",
            "trading_time",
        )
    ),
    *(CORE / "markets" / f"{name}.py" for name in ("calendar", "windows")),
    *(CORE / "instruments" / f"{name}.py" for name in ("listed", "rules", "completeness")),
    *(CORE / "trading" / f"{name}.py" for name in ("vocabulary", "alarms", "client_order_ids")),
    CORE / "events" / "names.py",
    *(
        ROOT / "api_contract" / f"{name}.py"
        for name in ("vocabulary", "alarms", "scopes", "ids", "errors", "order_rules", "account_rules")
    ),
]

PURE_IMPORTS = {
    "api_contract",
    "base64",
    "collections",
    "dataclasses",
    "datetime",
    "decimal",
    "enum",
    "functools",
    "hmac",
    "ipaddress",
    "itertools",
    "pulse_core",
    "random",
    "re",
    "typing",
    "ulid",
    "zoneinfo",
}
CLOCKS_AND_DICE = {"now", "utcnow", "today", "time", "monotonic", "uuid4", "token_hex", "randbits", "choice", "open"}
BROKER_METHODS = {"wait_for_turn", "place", "cancel", "order", "order_trades", "order_book", "trade_book"}
BROKER_METHODS |= {"costs", "funds", "holdings"}


def modules(*folders: Path) -> list[Path]:
    return sorted(path for folder in folders for path in folder.rglob("*.py") if "migrations" not in path.parts)


def tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(), str(path))


def calls(node: ast.AST) -> Iterator[ast.Call]:
    return (one for one in ast.walk(node) if isinstance(one, ast.Call))


def name_of(function: ast.expr) -> str:
    return function.attr if isinstance(function, ast.Attribute) else getattr(function, "id", "")


OUTSIDE_STORES = [
    path
    for path in modules(*(ROOT / package for package in PACKAGES))
    # The exchange keeps a ledger of its own.
    if not {*STORES, CORE / "brokers", ROOT / "pulse_ops" / "paper_exchange"} & set(path.parents)
]
DEEDS = [path for path in modules(*(CORE / one for one in SUBJECTS)) if not {*STORES} & set(path.parents)]


@pytest.mark.parametrize("path", OUTSIDE_STORES, ids=lambda path: str(path.relative_to(ROOT)))
def test_a_status_is_written_in_the_stores_only(path: Path) -> None:
    module = tree(path)
    assigned = [
        target
        for node in ast.walk(module)
        if isinstance(node, ast.Assign | ast.AugAssign | ast.AnnAssign)
        for target in (node.targets if isinstance(node, ast.Assign) else [node.target])
        if isinstance(target, ast.Attribute) and target.attr == "status" and name_of(target.value) != "self"
    ]
    set_by_name = [
        call
        for call in calls(module)
        if name_of(call.func) in {"values", "change"} and any(word.arg == "status" for word in call.keywords)
    ]
    statements = [
        alias.name
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("sqlalchemy")
        for alias in node.names
        if alias.name in {"insert", "update", "delete"}
    ]

    assert (assigned, set_by_name, statements) == ([], [], [])


def test_a_store_sets_a_status_only_where_a_row_is_made_or_moved() -> None:
    writers = {
        (path.stem, function.name)
        for path in modules(*STORES)
        for function in ast.walk(tree(path))
        if isinstance(function, ast.FunctionDef)
        for call in calls(function)
        if name_of(call.func) == "values" and any(word.arg == "status" for word in call.keywords)
    }

    of_alarms = {("alarms", "move"), ("alarms", "_count_again")}
    assert writers - of_alarms == {("new_orders", "_add_statement"), ("orders", "move"), ("slices", "move")}


def test_a_statement_in_a_file_takes_its_move_from_the_table_of_moves() -> None:
    files = {path.stem: path.read_text() for store in STORES for path in (store / "sql").glob("*.sql")}
    moves = {name: re.findall(r"\bstatus = ([\w.:]+)", text.partition("SET ")[2]) for name, text in files.items()}
    checked = {"claim": ":to_status", "acknowledge": ":to_status", "end_working": "ending.status"}
    checked |= {"roll_up_orders": "rolled.status", "move_orders": ":to_status"}

    assert {name: found[0] for name, found in moves.items() if found} == checked
    assert all(":from_status" in files[name] for name in checked)


@pytest.mark.parametrize("path", RULES, ids=lambda path: path.stem)
def test_rules_have_no_clock_no_dice_and_no_outside(path: Path) -> None:
    module = tree(path)
    imported = {
        alias.name.partition(".")[0]
        for node in ast.walk(module)
        if isinstance(node, ast.Import)
        for alias in node.names
    } | {(node.module or "").partition(".")[0] for node in ast.walk(module) if isinstance(node, ast.ImportFrom)}
    unseeded = [call for call in calls(module) if name_of(call.func) == "Random" and not call.args]
    impure = [name_of(call.func) for call in calls(module) if name_of(call.func) in CLOCKS_AND_DICE]

    assert imported <= PURE_IMPORTS
    assert (unseeded, impure) == ([], [])


@pytest.mark.parametrize("path", DEEDS, ids=lambda path: str(path.relative_to(CORE)))
def test_no_service_hands_out_rows_of_tables(path: Path) -> None:
    module = tree(path)
    rows = {
        alias.name
        for node in ast.walk(module)
        if isinstance(node, ast.ImportFrom) and (node.module or "").endswith("tables")
        for alias in node.names
    }
    returned = [node.returns for node in module.body if is_public(node) and isinstance(node, ast.FunctionDef)]
    held = [
        line.annotation
        for node in module.body
        if is_public(node) and isinstance(node, ast.ClassDef)
        for line in node.body
        if isinstance(line, ast.AnnAssign)
    ]

    named = {name_of(part) for one in (*returned, *held) if one for part in ast.walk(one) if isinstance(part, ast.expr)}
    assert named & rows == set()


def is_public(node: ast.stmt) -> bool:
    return not getattr(node, "name", "_").startswith("_")


def test_no_command_and_no_view_knows_the_tables() -> None:
    imported = {
        node.module
        for path in modules(ROOT / "pulse_app", ROOT / "pulse_ops" / "cli", ROOT / "pulse_tasks")
        for node in ast.walk(tree(path))
        if isinstance(node, ast.ImportFrom)
    }

    assert {name for name in imported if name and name.endswith(".tables")} == set()


def test_no_transaction_is_open_while_the_broker_is_asked() -> None:
    services = [tree(path) for path in (*DEEDS, *modules(ROOT / "pulse_tasks"))]
    asking = functions_that_ask_the_broker(services)
    asked_inside = [
        name_of(call.func)
        for service in services
        for block in ast.walk(service)
        if isinstance(block, ast.With) and opens_a_transaction(block)
        for statement in block.body
        for call in calls(statement)
        if is_broker_call(call) or name_of(call.func) in asking
    ]

    assert {"_place", "_ask", "_read"} <= asking
    assert asked_inside == []


def opens_a_transaction(block: ast.With) -> bool:
    return any(name_of(call.func) == "transaction" for item in block.items for call in calls(item.context_expr))


def is_broker_call(call: ast.Call) -> bool:
    if not isinstance(call.func, ast.Attribute) or call.func.attr not in BROKER_METHODS:
        return False
    owner = call.func.value
    return name_of(owner.func if isinstance(owner, ast.Call) else owner) in {"broker", "connect"}


def functions_that_ask_the_broker(services: list[ast.Module]) -> set[str]:
    """Names of functions that call the broker themselves or through each other; a name counts wherever it stands."""
    functions = [node for service in services for node in ast.walk(service) if isinstance(node, ast.FunctionDef)]
    asking = {one.name for one in functions if any(map(is_broker_call, calls(one)))}
    while found := {one.name for one in functions if any(name_of(call.func) in asking for call in calls(one))} - asking:
        asking |= found
    return asking
