"""Which view a run is watched with: from `--progress`, `--quiet`, `--json` and what the streams are."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from typing import TextIO

import click

from batchwork.cli.options import F
from batchwork.cli.output import Output, note
from batchwork.clock import Clock
from batchwork.ports.sinks import EventSink

PROGRESS = ("auto", "bar", "lines", "json", "off")


def watching_options(command: F) -> F:
    """`--progress`, `--quiet`, `--json`, `--allow-failures`."""
    decorators: list[Callable[[F], F]] = [
        click.option(
            "--progress",
            type=click.Choice(PROGRESS),
            default="auto",
            help="How progress is shown on standard error: bars, plain lines, or events as JSON, one a line. "
            "Default: auto, which is bar on a terminal, else lines.",
        ),
        click.option("--quiet", "-q", is_flag=True, help="No progress, and a summary only if not all succeeded."),
        click.option(
            "--json", "as_json", is_flag=True, help="Standard output holds the summary as JSON, nothing else."
        ),
        click.option("--allow-failures", is_flag=True, help="Exit with 0, not 3, when tolerated items failed."),
    ]
    for decorate in reversed(decorators):
        command = decorate(command)
    return command


def chosen_view(progress: str, quiet: bool, as_json: bool, out: Output, clock: Clock) -> EventSink:
    """The view that was asked for."""
    say = note if as_json else out.say
    if progress == "off" or (quiet and progress == "auto"):
        from batchwork.view.quiet import Quiet

        return Quiet(note, say)
    if progress == "json":
        from batchwork.view.json import JsonLines

        return JsonLines(note, say)
    if progress in ("auto", "bar") and _draws(sys.stderr):
        from batchwork.view.bars import Bars

        return Bars(sys.stderr, None if as_json or out.terminal else say, clock)
    from batchwork.view.lines import Lines

    return Lines(note, say, clock)


def _draws(stream: TextIO) -> bool:
    """Whether bars can be drawn on `stream`."""
    try:
        return stream.isatty() and os.environ.get("TERM", "dumb") not in ("dumb", "")
    except (ValueError, OSError):  # closed
        return False
