"""The structured log of a run: its events as JSON, one a line with the time, in the run's folder. The store is the truth, not this."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable

from batchwork.clock import Clock, iso
from batchwork.events import Event, Progressed, Said, to_json

PROGRESS_APART_S = 10.0
"""Progress of a step is logged no more often than this; everything else always."""


class EventLog:
    """An EventSink that appends to a file of mode 0600. A file that cannot be written is reported once; the run goes on."""

    def __init__(self, path: str, clock: Clock, warn: Callable[[str], None]) -> None:
        self._path = path
        self._clock = clock
        self._warn = warn
        self._lock = threading.Lock()
        self._logged: dict[str, float] = {}
        self._file: int | None = None
        try:
            self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        except OSError as error:
            self._failed(error)

    def emit(self, event: Event) -> None:
        if isinstance(event, Said):
            return  # it is output and not a fact about the run; the result is in the store
        with self._lock:
            if self._file is None or (isinstance(event, Progressed) and not self._due(event.step)):
                return
            line = f'{{"at":"{iso(self._clock.wall_ms())}",{to_json(event)[1:]}\n'
            try:
                os.write(self._file, line.encode())
            except OSError as error:
                self._failed(error)

    def close(self) -> None:
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def _due(self, step: str) -> bool:
        now = self._clock.now()
        if now - self._logged.get(step, -PROGRESS_APART_S) < PROGRESS_APART_S:
            return False
        self._logged[step] = now
        return True

    def _failed(self, error: OSError) -> None:
        if self._file is not None:
            os.close(self._file)
            self._file = None
        self._warn(f"the log {self._path} cannot be written: {error.strerror}; the run is not affected")
