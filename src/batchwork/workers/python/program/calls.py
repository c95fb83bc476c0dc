"""Running the units of one call and reporting them. The only loop that is hot: about 2 µs for a unit that does nothing.

Each outcome is in shared memory before the next unit starts, so a worker that dies takes none with it. The frame with
all of them follows at the end of the call.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
from time import perf_counter

from .encoding import encode_result
from .failures import failure_fields
from .memory import RECORDS_AT, RUNNING_UNIT, UNIT_AT, Memory
from .output import Output
from .processes import Stragglers
from .wire import OUTCOMES, Wire

_TYPING = False  # importing typing costs more than all else here
if _TYPING:
    from typing import Any, Callable, Mapping

LOOK_FROM_US = 100
"""From here on a unit may have started processes (a fork takes longer), and looking costs little beside it."""
HAND_BACK_S = 0.05
"""After so long a call ends, and what it has not started is handed back."""
LOGS_MAX = 1 << 20

_OWN = os.path.dirname(os.path.abspath(__file__)) + os.sep


class Terminated(BaseException):
    """SIGTERM came while a unit ran: the author's `finally` runs, then the worker ends."""


class Outcomes:
    """What is known of a call and not yet sent."""

    def __init__(self, call: int, count: int) -> None:
        self.call, self.count = call, count
        self.start = 0  # everything before was sent
        self.results: list[str] = []
        self.durations: list[int] = []
        self.failures: list[tuple[int, dict[str, Any], int]] = []
        self.cancelled: list[int] = []
        self.logs: dict[int, str] = {}
        self.logged = 0

    def add_log(self, offset: int, log: str) -> None:
        self.logs[offset] = self.logs.get(offset, "") + log
        self.logged += len(log)

    def body(self, stop: int, last: bool) -> bytes:
        """The frame for units up to `stop`; the `last` one hands back the rest."""
        header: dict[str, Any] = {"id": self.call}
        if self.results:
            header["done"] = self._ranges(stop)
            header["us"] = self.durations
        if self.failures:
            header["failures"] = self.failures
        if self.cancelled:
            header["cancelled"] = self.cancelled
        if last and stop < self.count:
            header["returned"] = list(range(stop, self.count))
        if self.logs:
            header["logs"] = self.logs
        text = "\n".join([json.dumps(header, separators=(",", ":")), *self.results])
        self.start = stop
        self.results, self.durations, self.failures, self.cancelled, self.logs = [], [], [], [], {}
        self.logged = 0
        return text.encode("ascii")

    def _ranges(self, stop: int) -> list[tuple[int, int]]:
        """[from, to] (`to` is not in it) of what is done: all but the failures."""
        ranges, start = [], self.start
        for offset in sorted([offset for offset, _, _ in self.failures] + self.cancelled):
            if offset > start:
                ranges.append((start, offset))
            start = offset + 1
        if stop > start:
            ranges.append((start, stop))
        return ranges


class Caller:
    """Runs calls with one prepared function."""

    def __init__(
        self,
        function: Callable[[Any], Any],
        wire: Wire,
        memory: Memory,
        output: Output,
        leftovers: Stragglers,
        runtime: Mapping[str, Any],
    ) -> None:
        self._function, self._wire, self._memory, self._output = function, wire, memory, output
        self._leftovers = leftovers
        self._strict = bool(runtime.get("strict"))
        self._failures = 0
        self._pid = os.getpid()
        self._folder = Folder()
        self._ending = False
        signal.signal(signal.SIGTERM, self._on_term)

    def _on_term(self, _number: int, frame: Any) -> None:
        """The first SIGTERM ends the unit by an exception if it is in the author's code, else the worker at the next unit."""
        if self._ending:
            return
        self._ending = True
        if not self._memory.running():
            os._exit(128 + signal.SIGTERM)
        if frame is not None and not frame.f_code.co_filename.startswith(_OWN):
            raise Terminated

    def refuses(self, call: Mapping[str, Any]) -> bool:
        """Whether a call was sent before its sender knew that the step stops or that an earlier unit failed."""
        return self._memory.recalled(call["number"]) or (self._strict and call["seen"] < self._failures)

    def run(self, call: Mapping[str, Any]) -> None:
        """Run a call's units in turn and report all of them."""
        units = call["units"]
        outcomes = Outcomes(call["id"], len(units))
        if self.refuses(call):
            self._wire.send(OUTCOMES, outcomes.body(0, True))
            return
        if "shared" in call:
            spread_items(units, call["slot"], call["shared"])
        self._memory.begin(call["number"])
        self._output.connect()
        stop = self._loop(call["number"], units, outcomes)
        self._tidy(stop, outcomes)
        self._wire.send(OUTCOMES, outcomes.body(stop, True))
        self._memory.begin(0)
        if self._ending:
            os._exit(128 + signal.SIGTERM)

    def _loop(self, number: int, units: list[Any], outcomes: Outcomes) -> int:
        """Run units; how many were started."""
        memory, function, log = self._memory, self._function, self._output.descriptor
        shared, limit, pack, seek, clock = memory.map, memory.size, RUNNING_UNIT.pack_into, os.lseek, perf_counter
        results, durations = outcomes.results, outcomes.durations
        mark = self._output.trim()
        end = RECORDS_AT
        began = clock()
        deadline = began + HAND_BACK_S
        offset = -1
        for offset, unit in enumerate(units):
            if shared[0] and memory.recalled(number):
                memory.rest(end)
                return offset
            pack(shared, UNIT_AT, offset, began, mark, end)
            failure: dict[str, Any] | None = None
            text = ""
            try:
                text = encode_result(function(unit))
            except BaseException as error:  # noqa: BLE001  whatever a task raises is an outcome
                failure = self._failure(error, offset, outcomes)
            ended = clock()
            us = int((ended - began) * 1e6)
            written = seek(log, 0, 2)
            if us > LOOK_FROM_US or written != mark:
                written = self._look(offset, mark, us, outcomes)
            if failure is None:
                record = f"D{offset} {us} {text}\n".encode("ascii")
                results.append(text)
                durations.append(us)
            else:
                record = self._note(offset, us, failure, outcomes)
            if written != mark:
                record = b"L%d %d %d\n" % (offset, mark, written) + record
                mark = written
            if end + len(record) > limit or outcomes.logged > LOGS_MAX:
                end = self._flush(offset + 1, outcomes)
                results, durations = outcomes.results, outcomes.durations
                mark = self._output.trim()
                ended = clock()
            else:
                shared[end : end + len(record)] = record
                end += len(record)
            began = ended
            if failure is not None and (self._strict or self._ending):
                break
            if ended > deadline or self._ending:
                break
        memory.rest(end)
        return offset + 1

    # ------------------------------------------------------------ less often

    def _failure(self, error: BaseException, offset: int, outcomes: Outcomes) -> dict[str, Any]:
        if isinstance(error, Terminated):
            outcomes.cancelled.append(offset)
            return {}
        return failure_fields(error)

    def _note(self, offset: int, us: int, failure: dict[str, Any], outcomes: Outcomes) -> bytes:
        if not failure:  # cancelled
            return b"C%d %d null\n" % (offset, us)
        self._failures += 1
        outcomes.failures.append((offset, failure, us))
        return f"F{offset} {us} {json.dumps(failure)}\n".encode("ascii")

    def _look(self, offset: int, mark: int, us: int, outcomes: Outcomes) -> int:
        """After a unit that took long or printed: what it left behind, what it wrote. Where its output ends."""
        if os.getpid() != self._pid:
            os._exit(0)  # the task forked, and its child came back here
        for stream in (sys.stdout, sys.stderr):
            with contextlib.suppress(Exception):
                stream.flush()
        if us > LOOK_FROM_US:
            self._folder.restore()
            self._report(self._leftovers.end())
        end = self._output.end()
        if end > mark:
            outcomes.add_log(offset, self._output.cut(mark, end))
        return max(end, mark)

    def _report(self, left: list[str]) -> None:
        if left:
            shown = ", ".join(sorted(set(left))[:5])
            count = "1 process" if len(left) == 1 else f"{len(left)} processes"
            self._output.write(f"batchwork: leaked {count}, killed: {shown}\n")

    def _tidy(self, stop: int, outcomes: Outcomes) -> None:
        """At the end of a call: what its short units may have left behind."""
        self._folder.restore()
        start = self._output.end()
        self._report(self._leftovers.end())
        end = self._output.end()
        if end > start and stop:
            outcomes.add_log(stop - 1, self._output.cut(start, end))

    def _flush(self, stop: int, outcomes: Outcomes) -> int:
        """Send what there is; where records begin anew."""
        self._wire.send(OUTCOMES, outcomes.body(stop, False))
        self._memory.rest(RECORDS_AT)
        return RECORDS_AT


def spread_items(units: list[Any], slot: int, shared: list[Any]) -> None:
    """Put the batches' items, which stand once in the call, into the payloads of their units."""
    for unit in units:
        view = unit[slot]
        view["items"] = shared[view.pop("shared")]


class Folder:
    """The working directory, which every unit finds as it was."""

    def __init__(self) -> None:
        self._moved = False
        try:
            self._home: int | None = os.open(".", os.O_RDONLY | os.O_CLOEXEC)
        except OSError:
            self._home = None
        self._change: Any = os.chdir
        self._change_to: Any = os.fchdir
        os.chdir, os.fchdir = self._chdir, self._fchdir

    def _chdir(self, path: Any) -> None:
        self._moved = True
        self._change(path)

    def _fchdir(self, fd: Any) -> None:
        self._moved = True
        self._change_to(fd)

    def restore(self) -> None:
        if self._moved and self._home is not None:
            self._moved = False
            with contextlib.suppress(OSError):
                self._change_to(self._home)
