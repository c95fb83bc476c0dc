"""Which view a run is watched with: by what was asked for, and what the streams are."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, TextIO

from batchwork.view.streams import Stdout, note

if TYPE_CHECKING:
    from batchwork.clock import Clock
    from batchwork.ports.sinks import EventSink

PROGRESS = ("auto", "bar", "lines", "json", "off")


def choose_view(progress: str, quiet: bool, as_json: bool, out: Stdout, clock: Clock) -> EventSink:
    """The view for one of PROGRESS. With `as_json` standard output is the summary's, so what tasks say goes elsewhere."""
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
