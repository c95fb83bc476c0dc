"""Progress bars on a terminal: a line for each running step at the bottom, everything else scrolls above."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from textwrap import wrap
from typing import TYPE_CHECKING, TextIO

from msgspec import Struct

from batchwork.clock import Clock
from batchwork.events import Event, Progressed, RunStarted, Said, StepFinished, StepStarted, Stopping, Warned
from batchwork.model import Counts, StepStatus
from batchwork.text.wording import visible_block
from batchwork.view import phrases
from batchwork.view.barline import Bit, Standing, lines
from batchwork.view.canvas import Canvas
from batchwork.view.pace import Pace

if TYPE_CHECKING:
    from rich.text import Text

MARGIN = 4
"""Columns left free at the right: the `^C` that a terminal prints there must not begin a new line."""

_STYLES = {"full": "green", "empty": "bright_black", "bad": "red", "warn": "yellow", "": ""}
_ENDED = {StepStatus.SUCCEEDED: "green", StepStatus.FAILED: "red", StepStatus.SKIPPED: "bright_black"}


class _Track(Struct):
    batch: bool
    counts: Counts
    pace: Pace
    started_s: float
    running: int = 0
    retrying: int = 0


class Bars:
    """An EventSink that draws on `stream`, a terminal. `say` gets an echo's text where standard output is elsewhere."""

    def __init__(self, stream: TextIO, say: Callable[[str], None] | None, clock: Clock) -> None:
        self._say = say
        self._clock = clock
        self._tracks: dict[str, _Track] = {}
        self._canvas = Canvas(stream, self._picture)

    def emit(self, event: Event) -> None:
        canvas = self._canvas
        with canvas.lock:
            match event:
                case Said():
                    self._said(event.text)
                case RunStarted():
                    canvas.print(phrases.run_started(event))
                    canvas.begin()
                case StepStarted():
                    now = self._clock.now()
                    self._tracks[event.step] = _Track(event.batch, event.counts, Pace(now, event.counts.finished), now)
                    if stays := phrases.step_stays(event):
                        canvas.print(stays)
                case Progressed():
                    self._progressed(event)
                case StepFinished():
                    self._tracks.pop(event.step, None)
                    canvas.print(phrases.step_finished(event), _style_of(event))
                case Warned():
                    canvas.print(phrases.warned(event), "yellow")
                case Stopping():
                    canvas.notify(phrases.stopping(event))
                case _:  # RunFinished: the summary says it
                    pass

    def close(self) -> None:
        """Take the bars away; what was printed above stays."""
        self._canvas.close()

    def standings(self) -> list[Standing]:
        """What is drawn now, a line for each running step."""
        now = self._clock.now()
        return [
            Standing(
                step,
                track.batch,
                track.counts,
                track.running,
                track.retrying,
                track.pace.rate(now),
                track.pace.left_s(now, track.counts.total),
                now - track.started_s,
            )
            for step, track in self._tracks.items()
        ]

    def _progressed(self, event: Progressed) -> None:
        track = self._tracks.get(event.step)
        if track is not None:
            track.counts, track.running, track.retrying = event.counts, event.running, event.retrying
            track.pace.mark(self._clock.now(), event.counts.finished)

    def _said(self, text: str) -> None:
        if self._say is not None:
            self._say(text)
        else:
            self._canvas.print(visible_block(text))

    def _picture(self, width: int, height: int, tick: int) -> Text:
        from rich.text import Text

        width -= MARGIN
        below = wrap(self._canvas.notice, max(width, 20))
        standings = self.standings()
        room = max(height - 3 - len(below), 1)
        if len(standings) > room:
            below.insert(0, f"… and {len(standings) - room} more steps")
        drawn = [_line(parts) for parts in lines(standings[:room], width, tick)]
        if below:
            drawn.append(Text("\n".join(below), "yellow"))
        picture = Text("\n", no_wrap=True, overflow="crop", end="")
        return picture.join(drawn)


def _line(pieces: Sequence[Bit]) -> Text:
    """The pieces with spaces between them, except between the two parts of a bar."""
    from rich.text import Text

    line = Text()
    before = ""
    for piece in pieces:
        line.append(before + piece.text, _STYLES[piece.style])
        before = "" if piece.style == "full" else " "
    return line


def _style_of(event: StepFinished) -> str:
    if event.status is StepStatus.SUCCEEDED and event.counts.failed:
        return "yellow"
    return _ENDED.get(event.status, "")
