"""What a reactor says of units that have been running for a while, each second while there are some."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import TypeAlias

from batchwork.workers.frames import NOW_RUNNING, RUNNING_FROM_S, RUNNING_OUTPUT_MOST, frame
from batchwork.workers.reactor.program.loop import Loop
from batchwork.workers.reactor.program.outbox import Unit

EVERY_S = 1.0

Outputs: TypeAlias = "Callable[[], tuple[str, str]]"
"""What a unit has printed so far on standard output and standard error; a byte that is not UTF-8 is a lone surrogate."""


class RunningWatch:
    """Looks each second what `running` gives, as long as there is something, and sends what is new."""

    def __init__(
        self, loop: Loop, running: Callable[[], Iterable[tuple[Unit, Outputs]]], send: Callable[[bytes], None]
    ) -> None:
        self._loop, self._running, self._send = loop, running, send
        self._ticking = False
        self._told = ""

    def begin(self) -> None:
        """Something has been started."""
        if not self._ticking:
            self._ticking = True
            self._loop.timers.at(self._loop.now() + EVERY_S, self._tick)

    def _tick(self) -> None:
        running = list(self._running())
        self._ticking = False
        if running:
            self.begin()
        now = self._loop.now()
        old = [(unit, outputs) for unit, outputs in running if now - unit.started >= RUNNING_FROM_S]
        told = json.dumps([_told(unit, outputs(), RUNNING_OUTPUT_MOST // len(old)) for unit, outputs in old])
        if told != self._told and (old or self._told):
            self._told = told
            ages = [round(now - unit.started, 3) for unit, _ in old]
            self._send(frame(NOW_RUNNING, f'{{"for_s": {ages}, "units": {told}}}'.encode("ascii")))


def _told(unit: Unit, outputs: tuple[str, str], most: int) -> list[object]:
    half = most // 2
    return [unit.call, unit.offset, *(_sendable(text[-half:]) for text in outputs)]


def _sendable(text: str) -> str:
    """Text that can be stored as UTF-8, whatever bytes it was."""
    if text.isascii():
        return text
    return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
