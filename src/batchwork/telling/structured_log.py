"""Events as lines of JSON in a file, for log collectors: `.batchwork/logs/RUN.jsonl`. It never stops a run."""

from __future__ import annotations

import os
from threading import Lock
from typing import Final

from batchwork.clock import Clock, iso
from batchwork.events import Event, Progressed, Said, to_json
from batchwork.folders import private_folder

PRIVATE: Final = 0o600
PROGRESS_APART_S: Final = 10.0
"""Progress of a step is logged no more often than this, so that the log of a long run stays short."""


class StructuredLog:
    """An EventSink that appends `{"time", "event", …}` lines to `path`. What cannot be written is left out, silently:

    a full disk is reported by the store, which needs it more.
    """

    def __init__(self, path: str, clock: Clock) -> None:
        self._clock = clock
        self._lock = Lock()
        self._progress: dict[str, float] = {}
        self._torn = False
        try:
            private_folder(os.path.dirname(path))
            flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW
            self._file: int | None = os.open(path, flags, PRIVATE)
            self._torn = _torn(self._file)
        except OSError:
            self._file = None

    def emit(self, event: Event) -> None:
        if isinstance(event, Said):
            return  # output, and no fact about the run
        if isinstance(event, Progressed) and not self._due(event.step):
            return
        text = to_json(event)
        line = f'{{"time": "{iso(self._clock.wall_ms())}", {text[1:]}\n'
        raw = line.encode("utf-8", "backslashreplace")
        with self._lock:
            if self._file is not None:
                self._append(self._file, raw)

    def close(self) -> None:
        with self._lock:
            descriptor, self._file = self._file, None
            if descriptor is not None:
                os.close(descriptor)

    def _due(self, step: str) -> bool:
        now, last = self._clock.now(), self._progress.get(step)
        if last is not None and now - last < PROGRESS_APART_S:
            return False
        self._progress[step] = now
        return True

    def _append(self, descriptor: int, raw: bytes) -> None:
        if self._torn:
            raw = b"\n" + raw  # so that half a line, left by a kill or a full disk, spoils only itself
        try:
            self._torn = os.write(descriptor, raw) != len(raw)
        except OSError:
            self._torn = True


def _torn(descriptor: int) -> bool:
    """Whether the file ends within a line."""
    size = os.fstat(descriptor).st_size
    return size > 0 and os.pread(descriptor, 1, size - 1) != b"\n"
