"""Plain lines for pipes and CI: start, now and then how far it is, end. Never a flood, whatever the number of events."""

from __future__ import annotations

import threading
from collections.abc import Callable

from msgspec import Struct

from batchwork.clock import Clock
from batchwork.events import Event, Progressed, RunStarted, Said, StepFinished, StepStarted, Stopping, Warned
from batchwork.model import Counts
from batchwork.view import phrases
from batchwork.view.pace import Pace

SAY_EVERY_S = 10.0
"""A line about a running step at least this often, as long as something finishes."""
STEP = 0.1
"""… and whenever another tenth is done,"""
APART_S = 2.0
"""… but not closer together than this."""


class _Track(Struct):
    pace: Pace
    said_s: float
    said_share: float


def _share_done(counts: Counts) -> float:
    """From 0 to 1; 0 while the total is not known."""
    return counts.finished / (counts.total or float("inf"))


class Lines:
    """An EventSink that writes a line for what is worth one."""

    def __init__(self, write: Callable[[str], None], say: Callable[[str], None], clock: Clock) -> None:
        self._write = write
        self._say = say
        self._clock = clock
        self._tracks: dict[str, _Track] = {}
        self._lock = threading.Lock()

    def emit(self, event: Event) -> None:
        with self._lock:
            match event:
                case Said():
                    self._say(event.text)
                case RunStarted():
                    self._write(phrases.run_started(event))
                case StepStarted():
                    self._started(event)
                case Progressed():
                    self._progressed(event)
                case StepFinished():
                    self._tracks.pop(event.step, None)
                    self._write(phrases.step_finished(event))
                case Warned():
                    self._write(phrases.warned(event))
                case Stopping():
                    self._write(phrases.stopping(event))
                case _:  # RunFinished: the summary says it
                    pass

    def close(self) -> None:
        pass

    def _started(self, event: StepStarted) -> None:
        now, counts = self._clock.now(), event.counts
        self._tracks[event.step] = _Track(Pace(now, counts.finished), now, _share_done(counts))
        self._write(phrases.step_started(event))

    def _progressed(self, event: Progressed) -> None:
        track = self._tracks.get(event.step)
        if track is None:
            return
        now, counts = self._clock.now(), event.counts
        track.pace.mark(now, counts.finished)
        share = _share_done(counts)
        since = now - track.said_s
        if since >= SAY_EVERY_S or (since >= APART_S and share - track.said_share >= STEP):
            track.said_s, track.said_share = now, share
            self._write(phrases.progress(event.step, counts, track.pace.rate(now), event.retrying))
