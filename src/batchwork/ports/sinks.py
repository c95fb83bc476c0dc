"""The seam of views: EventSink, and one made of several. No view is here, see batchwork.view."""

from __future__ import annotations

from typing import Protocol

from msgspec import Struct, field

from batchwork.events import Event


class EventSink(Protocol):
    """Takes events: a view, a log, a test. Called from several threads; must not raise."""

    def emit(self, event: Event) -> None: ...

    def close(self) -> None: ...


class Fanout(Struct):
    """One sink made of several."""

    sinks: list[EventSink] = field(default_factory=list)

    def emit(self, event: Event) -> None:
        for sink in self.sinks:
            sink.emit(event)

    def close(self) -> None:
        for sink in self.sinks:
            sink.close()
