"""What a reactor says, grouped by call and written without waiting: the bodies of the frames that come from it.

    H {}
    E {"type": "ValueError", "message": "a reactor runs shell and http, not 'x'"}
    O {"id": 7, "done": [[0, 2]], "us": [12, 9], "failures": [[2, {"type": "exit", "message": "no", "exit_code": 3}, 15]],
       "cancelled": [3], "returned": [4], "logs": {"0": "left 1 process behind, killed\\n"}}
      {"stdout":"","stderr":"","exit_code":0}
      {"stdout":"a","stderr":"","exit_code":0}
    N {"for_s": [2.5], "units": [[7, 5, "half way\\n", ""]]}

H: the program is prepared. E: it cannot be, and the reactor ends.

O are outcomes of a call. All but `id` may be left out. A call has any number of such frames, and each unit is in one of
them. Offsets count the call's units: `done` are ranges, whose end is not in them, and for each unit in them `us` has its
microseconds and a line below has its result. A failure has fields of a `Failure`. `cancelled` and `returned` (not started)
are offsets.

N says what has been running for a while, and replaces the N before it. For each unit there are its call, its offset, and
the tails of what it has printed on standard output and standard error. `for_s` is how long each has been running.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from typing import TypeAlias

from batchwork.workers.frames import OUTCOMES, frame
from batchwork.workers.reactor.program.loop import OUT, Loop
from batchwork.workers.reactor.program.notes import Notes

Failed: TypeAlias = dict[str, object]
"""The fields of a `model.Failure`, as JSON."""

_encode = json.JSONEncoder(separators=(",", ":"), ensure_ascii=True, allow_nan=False).encode


class NotStarted(Exception):
    """A unit cannot be started, now or later; the message says why."""


class CallEnd:
    """When a call's failures have all that waits handed back: after so many (None: never), of those that count."""

    __slots__ = ("_after", "_forgives")

    def __init__(self, after: int | None, forgives: bool) -> None:
        self._after, self._forgives = after, forgives

    def comes_with(self, failure: Failed) -> bool:
        """Count a failure; whether it is now."""
        if self._after is None or (self._forgives and failure.get("retryable", True)):
            return False
        self._after -= 1
        return self._after <= 0


NEVER = CallEnd(None, forgives=False)


class Unit:
    """One unit of a call: what is to be run, when its call ends, and when it was started."""

    __slots__ = ("call", "end", "offset", "payload", "started")

    def __init__(self, call: int, offset: int, payload: dict[str, object], end: CallEnd = NEVER) -> None:
        self.call = call
        self.offset = offset
        self.payload = payload
        self.end = end
        self.started = 0.0


class _Tally:
    """What is to be reported of one call."""

    __slots__ = ("cancelled", "done", "failures", "logs", "returned")

    def __init__(self) -> None:
        self.done: list[tuple[int, int, str]] = []
        self.failures: list[tuple[int, Failed, int]] = []
        self.cancelled: list[int] = []
        self.returned: list[int] = []
        self.logs: dict[int, str] = {}

    def frame(self, call: int) -> bytes:
        header: dict[str, object] = {"id": call}
        if self.done:
            self.done.sort()
            header["done"] = _runs([offset for offset, _, _ in self.done])
            header["us"] = [us for _, us, _ in self.done]
        for name in ("failures", "cancelled", "returned", "logs"):
            if part := getattr(self, name):
                header[name] = part
        lines = [_encode(header), *(result for _, _, result in self.done)]
        return frame(OUTCOMES, "\n".join(lines).encode())


class Outbox:
    """Collects outcomes until `flush`, then writes them in the background of the loop.

    `freed` is called when a unit that ran has been reported: its slot is free; and whether its call ends with its failure.
    """

    def __init__(self, loop: Loop, fd: int, freed: Callable[[bool], None], notes: Notes | None = None) -> None:
        os.set_blocking(fd, False)
        self._loop = loop
        self._freed = freed
        self.notes = notes
        self._fd = fd
        self._tallies: dict[int, _Tally] = {}
        self._pending = bytearray()
        self._broken = False
        self.flushed = 0.0
        """When outcomes were last handed on."""

    def __bool__(self) -> bool:
        """Whether something waits for `flush`."""
        return bool(self._tallies)

    @property
    def backlog(self) -> int:
        """Bytes that the pipe has not taken yet."""
        return len(self._pending)

    def done(self, unit: Unit, result: str, us: int, log: str = "") -> None:
        if self.notes is not None:
            self.notes.done(unit, us, result, _encode(log) if log else "")
        tally = self._tally(unit.call)
        tally.done.append((unit.offset, us, result))
        if log:
            tally.logs[unit.offset] = log
        self._freed(False)

    def failed(self, unit: Unit, failure: Failed, us: int, log: str = "") -> None:
        if self.notes is not None:
            self.notes.failed(unit, us, _encode(failure), _encode(log) if log else "")
        tally = self._tally(unit.call)
        tally.failures.append((unit.offset, failure, us))
        if log:
            tally.logs[unit.offset] = log
        self._freed(unit.end.comes_with(failure))

    def cancelled(self, unit: Unit, log: str = "") -> None:
        if self.notes is not None:
            self.notes.cancelled(unit)
        tally = self._tally(unit.call)
        tally.cancelled.append(unit.offset)
        if log:
            tally.logs[unit.offset] = log
        self._freed(False)

    def returned(self, unit: Unit) -> None:
        self._tally(unit.call).returned.append(unit.offset)

    def _tally(self, call: int) -> _Tally:
        tally = self._tallies.get(call)
        if tally is None:
            tally = self._tallies[call] = _Tally()
            if self.notes is not None:
                self.notes.outcomes(len(self._tallies))
        return tally

    def flush(self, now: float) -> None:
        """Hand on what has been collected, one frame for each call."""
        if not self._tallies:
            return
        for call, tally in self._tallies.items():
            self._pending += tally.frame(call)
        self._tallies.clear()
        self.flushed = now
        self._write()
        if self.notes is not None:
            self.notes.sent(written=not self._pending)

    def send(self, message: bytes) -> None:
        """Hand on a frame of another kind."""
        self._pending += message
        self._write()

    def _write(self, _fd: int = 0, _events: int = 0) -> None:
        pending = self._pending
        try:
            while pending and not self._broken:
                with memoryview(pending) as view:
                    written = os.write(self._fd, view[: 1 << 20])
                del pending[:written]
        except BlockingIOError:
            self._loop.watch(self._fd, OUT, self._write)
            return
        except OSError:  # nobody reads any more; the other pipe's end says so in a moment
            self._broken = True
        pending.clear()
        self._loop.forget(self._fd)


def _runs(offsets: list[int]) -> list[list[int]]:
    """Sorted offsets as runs [from, to), to exclusive."""
    runs: list[list[int]] = []
    for offset in offsets:
        if runs and runs[-1][1] == offset:
            runs[-1][1] = offset + 1
        else:
            runs.append([offset, offset + 1])
    return runs
