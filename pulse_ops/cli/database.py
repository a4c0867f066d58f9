"""The database of the commands that work without the API."""

import os
import secrets
from pathlib import Path

from api_contract.secret_files import secret_of, set_variables
from api_contract.variables import QUEUE_URL, names_of
from pulse_core import config
from pulse_ops.cli import options
from pulse_ops.cli.old_names import warn_of_old_names
from pulse_ops.stack import running
from pulse_ops.stack.errors import NotRunning


def use_database(data_dir: Path | None) -> None:
    """Let the services of this process work on DATABASE_URL, else on the running stack's. Raises NotRunning."""
    warn_of_old_names()
    settings = options.stack_settings(data_dir=data_dir)
    if settings.database_url is None:
        try:
            set_variables(running.find(settings.data_dir).environment)
        except NotRunning as error:
            raise NotRunning("No database: set DATABASE_URL, or start the stack with `pulse up`.") from error
    # A process of the services needs these; a command that only reads and writes rows does not.
    if secret_of(*names_of("queue_url")) is None:
        os.environ[QUEUE_URL] = "redis://127.0.0.1"
    for name in ("PULSE_CURSOR_KEY", "PULSE_IDEMPOTENCY_KEY"):
        if secret_of(name) is None:
            os.environ[name] = secrets.token_urlsafe(32)
    config.settings.cache_clear()
