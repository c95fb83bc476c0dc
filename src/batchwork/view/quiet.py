"""No progress: only what tasks say, warnings, and that a stop is under way (`--quiet`, `--progress off`)."""

from __future__ import annotations

from collections.abc import Callable

from batchwork.events import Event, Said, Stopping, Warned
from batchwork.view import phrases


class Quiet:
    """An EventSink that is silent about progress."""

    def __init__(self, write: Callable[[str], None], say: Callable[[str], None]) -> None:
        self._write = write
        self._say = say

    def emit(self, event: Event) -> None:
        if isinstance(event, Said):
            self._say(event.text)
        elif isinstance(event, Warned):
            self._write(phrases.warned(event))
        elif isinstance(event, Stopping):
            self._write(phrases.stopping(event))

    def close(self) -> None:
        pass
