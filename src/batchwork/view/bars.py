"""Progress bars on a terminal: a line for each running step at the bottom, everything else scrolls above.

One thread of its own draws eight times a second; it imports rich only if the run lasts long enough to be looked at.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from textwrap import wrap
from typing import TYPE_CHECKING, TextIO

from msgspec import Struct, field

from batchwork.clock import Clock
from batchwork.events import Event, Progressed, RunStarted, Said, StepFinished, StepStarted, Stopping, Warned
from batchwork.model import Counts, StepStatus
from batchwork.view import phrases
from batchwork.view.barline import Standing, lines
from batchwork.view.pace import Pace

if TYPE_CHECKING:
    from rich.live import Live
    from rich.text import Text

PATIENCE_S = 0.2
"""A run that is over by then shows no bars and costs no import of rich."""
REFRESH_S = 0.125
MARGIN = 4
"""Columns left free at the right: the `^C` that a terminal prints there must not begin a new line."""
FLOOD = 1000
"""Lines for above the bars are gathered until the next picture, but no more of them than this."""

_STYLES = {"full": "green", "empty": "bright_black", "bad": "red", "warn": "yellow", "": ""}
_ENDED = {StepStatus.SUCCEEDED: "green", StepStatus.FAILED: "red", StepStatus.SKIPPED: "bright_black"}


class _Track(Struct):
    batch: bool
    counts: Counts
    pace: Pace
    started_s: float
    running: int = 0
    retrying: int = 0


class Bars(Struct):
    """An EventSink that draws on `stream`, a terminal. `say` gets an echo's text where standard output is elsewhere."""

    stream: TextIO
    say: Callable[[str], None] | None
    clock: Clock
    _tracks: dict[str, _Track] = field(default_factory=dict)
    _notice: str = ""
    _above: list[tuple[str, str]] = field(default_factory=list)
    _tick: int = 0
    _live: Live | None = None
    _lock: threading.Lock = field(default_factory=threading.Lock)
    _over: threading.Event = field(default_factory=threading.Event)
    _artist: threading.Thread | None = None

    def emit(self, event: Event) -> None:
        with self._lock:
            match event:
                case Said():
                    self._said(event.text)
                case RunStarted():
                    self._print(phrases.run_started(event))
                    self._begin()
                case StepStarted():
                    now = self.clock.now()
                    self._tracks[event.step] = _Track(event.batch, event.counts, Pace(now, event.counts.finished), now)
                case Progressed():
                    self._progressed(event)
                case StepFinished():
                    self._tracks.pop(event.step, None)
                    self._print(phrases.step_finished(event), _style_of(event))
                case Warned():
                    self._print(phrases.warned(event), "yellow")
                case Stopping():
                    self._notify(phrases.stopping(event))
                case _:  # RunFinished: the summary says it
                    pass

    def close(self) -> None:
        """Take the bars away; what was printed above stays."""
        self._over.set()
        if self._artist is not None:
            self._artist.join()
            self._artist = None

    def standings(self) -> list[Standing]:
        """What is drawn now, a line for each running step."""
        now = self.clock.now()
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

    def _notify(self, notice: str) -> None:
        """Show below the bars what goes for all steps."""
        self._notice = notice
        if self._live is None:
            self._print(notice, "yellow")

    def _progressed(self, event: Progressed) -> None:
        track = self._tracks.get(event.step)
        if track is not None:
            track.counts, track.running, track.retrying = event.counts, event.running, event.retrying
            track.pace.mark(self.clock.now(), event.counts.finished)

    def _said(self, text: str) -> None:
        if self.say is not None:
            self.say(text)
        else:
            from batchwork.text.wording import visible_block

            self._print(visible_block(text))

    def _print(self, text: str, style: str = "") -> None:
        """A line above the bars."""
        if self._live is not None:
            self._above.append((text, style))
            if len(self._above) >= FLOOD:
                self._flush(self._live)
            return
        try:
            self.stream.write(text + "\n")
            self.stream.flush()
        except OSError:  # the terminal is gone; the run is not
            self._over.set()

    # ---------------------------------------------------------------- drawing

    def _flush(self, live: Live) -> None:
        """Print what has gathered since the last picture, in one go."""
        if not self._above:
            return
        from rich.text import Text

        above = Text("\n").join(Text(text, style) for text, style in self._above)
        self._above.clear()
        live.console.print(above, soft_wrap=True)

    def _begin(self) -> None:
        if self._artist is None and not self._over.is_set():
            self._artist = threading.Thread(target=self._draw, name="bars", daemon=True)
            self._artist.start()

    def _draw(self) -> None:
        if self._over.wait(PATIENCE_S):
            return
        from rich.console import Console
        from rich.live import Live

        console = Console(file=self.stream, highlight=False)
        live = Live(console=console, auto_refresh=False, transient=True, redirect_stdout=False, redirect_stderr=False)
        try:
            with self._lock:
                live.start()
                self._live = live
            while not self._over.wait(REFRESH_S):
                self._tick += 1
                with self._lock:
                    self._flush(live)
                    live.update(self._picture(console.width, console.height), refresh=True)
        except OSError:  # the terminal is gone; the run is not
            self._over.set()
        finally:
            with self._lock:
                self._live = None
                try:
                    self._flush(live)
                    live.stop()
                    if self._notice:
                        self._print(self._notice)
                except OSError:
                    pass

    def _picture(self, width: int, height: int) -> Text:
        from rich.text import Text

        picture = Text(no_wrap=True, overflow="crop", end="")
        width -= MARGIN
        notice = wrap(self._notice, max(width, 20))
        standings = self.standings()
        room = max(height - 3 - len(notice), 1)
        for parts in lines(standings[:room], width, self._tick):
            picture.append("\n" if len(picture) else "")
            before = ""
            for part in parts:
                picture.append(before + part.text, _STYLES[part.style])
                before = "" if part.style == "full" else " "
        if len(standings) > room:
            notice.insert(0, f"… and {len(standings) - room} more steps")
        if notice:
            picture.append(("\n" if len(picture) else "") + "\n".join(notice), "yellow")
        return picture


def _style_of(event: StepFinished) -> str:
    if event.status is StepStatus.SUCCEEDED and event.counts.failed:
        return "yellow"
    return _ENDED.get(event.status, "")
