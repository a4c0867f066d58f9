"""The running stack as others find it: `run.json` in the data folder, private to its owner."""

from pathlib import Path

from pydantic import BaseModel, ConfigDict, ValidationError

from pulse_ops.stack import lock
from pulse_ops.stack.errors import NotRunning
from pulse_ops.stack.files import write_private


class RunningProcess(BaseModel):
    """`started_at` is in seconds since the epoch; `pid` is None between an end and the next start."""

    name: str
    pid: int | None
    started_at: float
    restarts: int


class RunningStack(BaseModel):
    """`environment` is what connects a program to the stack: database, queue, keys, and the URLs of the services.

    `owner_database_url` is for the role that migrates, `ledger` the file of the paper exchange.
    """

    model_config = ConfigDict(frozen=True)

    supervisor_pid: int
    started_at: float
    is_ready: bool
    urls: dict[str, str]
    demo_user: str | None
    demo_password: str | None
    environment: dict[str, str]
    processes: list[RunningProcess]
    ledger: Path | None = None
    owner_database_url: str | None = None


def save(data_dir: Path, stack: RunningStack) -> None:
    write_private(_path(data_dir), stack.model_dump_json(indent=2) + "\n")


def forget(data_dir: Path) -> None:
    _path(data_dir).unlink(missing_ok=True)


def find(data_dir: Path) -> RunningStack:
    """The stack that runs on this folder. Raises NotRunning."""
    refusal = NotRunning(f"No stack runs on {data_dir}: start one with `make run` or `pulse up`.")
    if not lock.is_held(data_dir):
        raise refusal
    try:
        return RunningStack.model_validate_json(_path(data_dir).read_text())
    except (OSError, ValidationError) as error:
        raise refusal from error


def _path(data_dir: Path) -> Path:
    return data_dir / "run.json"
