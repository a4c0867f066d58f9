"""What a command says when variables are set under their old names."""

from api_contract.variables import old_names_set
from pulse_ops.cli.output import say


def warn_of_old_names() -> None:
    """One line that names each, without its value."""
    if clauses := old_names_set():
        say(f"Variables have new names: {'; '.join(clauses)}.")
