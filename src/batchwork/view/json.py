"""Events as JSON, one a line (`--progress json`). Nothing is left out or put into words."""

from __future__ import annotations

from collections.abc import Callable

from batchwork.events import Event, Said, to_json
from batchwork.text.wording import visible_json


class JsonLines:
    """An EventSink that writes every event as a line of JSON."""

    def __init__(self, write: Callable[[str], None], say: Callable[[str], None]) -> None:
        self._write = write
        self._say = say

    def emit(self, event: Event) -> None:
        if isinstance(event, Said):
            self._say(event.text)
        self._write(visible_json(to_json(event)))

    def close(self) -> None:
        pass
