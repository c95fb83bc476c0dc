"""`batchwork completion`: what makes a shell offer commands, options, runs, steps and parameters."""

from __future__ import annotations

import click

from batchwork.cli.options import HelpfulCommand
from batchwork.view.streams import Stdout

SHELLS = ("bash", "zsh", "fish")


@click.command("completion", cls=HelpfulCommand)
@click.argument("shell", type=click.Choice(SHELLS), metavar="SHELL")
@click.pass_context
def completion_command(ctx: click.Context, shell: str) -> None:
    """Print what makes SHELL (bash, zsh or fish) complete what is written after `batchwork`.

    \b
      bash:  echo 'eval "$(batchwork completion bash)"' >> ~/.bashrc
      zsh:   echo 'eval "$(batchwork completion zsh)"' >> ~/.zshrc
      fish:  batchwork completion fish > ~/.config/fish/completions/batchwork.fish
    """
    out = Stdout()
    for line in script(shell, ctx.find_root().command).splitlines():
        out.line(line)
    out.flush()


def script(shell: str, commands: click.Command) -> str:
    """The text to be read by the shell."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    if kind is None:
        raise AssertionError(f"click knows no {shell}")
    text = kind(commands, {}, "batchwork", "_BATCHWORK_COMPLETE").source()
    # Behind `NAME=` comes its value, and no space.
    return text.replace(
        "COMPREPLY+=($value)", "COMPREPLY+=($value)\n            [[ $value == *= ]] && compopt -o nospace 2>/dev/null"
    )
