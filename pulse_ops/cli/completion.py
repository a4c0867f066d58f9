"""`pulse completion`: let the shell complete commands and options."""

import click
from click.shell_completion import get_completion_class

from pulse_ops import cli


@click.command()
@click.argument("shell", type=click.Choice(["bash", "zsh", "fish"]))
def completion(shell: str) -> None:
    """Print the completion script of a shell.

    \b
    bash:  eval "$(pulse completion bash)"     (in ~/.bashrc)
    zsh:   eval "$(pulse completion zsh)"      (in ~/.zshrc)
    fish:  pulse completion fish | source      (in config.fish)
    """
    completer = get_completion_class(shell)
    assert completer is not None  # noqa: S101  the choice above has no other
    click.echo(completer(cli.main, {}, "pulse", "_PULSE_COMPLETE").source())
