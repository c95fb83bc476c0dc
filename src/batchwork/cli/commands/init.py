"""`batchwork init`: a small workflow to begin with, which runs at once."""

from __future__ import annotations

import os

import click

from batchwork.cli.options import HelpfulCommand
from batchwork.errors import OutputError, UsageError
from batchwork.view.streams import Stdout

KINDS = {
    "files": "a command for each of many files",
    "api": "a request to an API for each of many items, with retries and a rate limit",
    "database": "work on the rows of a table, written back in transactions",
    "python": "a piece of Python for each of many items",
}
"""What there is to begin with; each is a file in the folder `starters`."""

_FOLDER = os.path.join(os.path.dirname(os.path.dirname(__file__)), "starters")


@click.command("init", cls=HelpfulCommand)
@click.argument("kind", type=click.Choice(list(KINDS)), default="files", metavar="[KIND]")
def init_command(kind: str) -> None:
    """Write a small workflow to begin with into this folder: KIND.yaml.

    \b
    KIND is one of
      files     a command for each of many files (the default)
      api       a request to an API for each of many items
      database  work on the rows of a table
      python    a piece of Python for each of many items

    It runs at once: it makes what it works on. Nothing that is there is replaced.
    """
    name = f"{kind}.yaml"
    _write(name, starter(kind))
    out = Stdout()
    out.line(f"{name}: {KINDS[kind]}")
    for command, what in (
        ("validate", "checks it; do so after each change"),
        ("plan", "shows what it would do"),
        ("run", "does it"),
    ):
        out.line(f"  batchwork {command} {name}".ljust(36) + what)
    out.line("  batchwork results".ljust(36) + "shows what each item gave; -o FILE.csv makes a table of it")
    out.flush()


def starter(kind: str) -> str:
    """The text of a workflow to begin with."""
    with open(os.path.join(_FOLDER, f"{kind}.yaml"), encoding="utf-8") as file:
        return file.read()


def _write(name: str, text: str) -> None:
    """Raises UsageError where there is a file of that name, OutputError where none can be made."""
    try:
        with open(name, "x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise UsageError(f"there is a file {name} already", "move it away, or begin in another folder") from None
    except OSError as error:
        raise OutputError(f"cannot write {name}: {error.strerror}", "begin in a folder of yours") from error
