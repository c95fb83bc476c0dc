"""Running the units of one call and reporting them. The only loop that is hot: less than 1 µs for a unit that does nothing.

Each outcome is in the journal before the next unit starts, so whoever dies takes none with it. The frame with all of them
follows at the end of the call.
"""

from __future__ import annotations

import json
import os
import signal
from time import perf_counter, time

from .failures import failure_fields
from .journal import BEGAN, MARK, START, Journal
from .values.encoding import encode_result, number_or_text
from .values.fresh import Shared
from .wire import LEAVING, OUTCOMES, Wire

_TYPING = False  # importing typing costs more than all else here
if _TYPING:
    from typing import Any, Callable, Mapping, Sequence

    from .service import Service
    from .traces.aftermath import Aftermath

HAND_BACK_S = 0.05
"""After so long a call ends, and what it has not started is handed back."""
LOGS_MAX = 1 << 20
UNHEARD = (
    "batchwork: the code of the items was seen to print nothing, and has printed; this is of an item that is not known:"
)
NOBODY = -1
"""In place of a unit's offset: which one printed is not known."""
SHORT = 255
"""The most microseconds that two hexadecimal digits can say."""

_OWN = os.path.dirname(os.path.abspath(__file__)) + os.sep


class Terminated(BaseException):
    """SIGTERM came while a unit ran: the author's `finally` runs, then the worker ends."""


class CallEnd:
    """When a call's failures end it: after so many (None: never), of those that count."""

    def __init__(self, after: int | None, forgives: bool) -> None:
        self._after, self._forgives = after, forgives

    def comes_with(self, failure: Mapping[str, Any]) -> bool:
        """Count a failure; whether it is now."""
        if self._after is None or (self._forgives and failure.get("retryable", True)):
            return False
        self._after -= 1
        return self._after <= 0


class Ended:
    """One unit that has ended: its result as text, or the fields of its failure, which are none where it was cancelled."""

    def __init__(self, offset: int, us: int, result: str, failure: dict[str, Any] | None) -> None:
        self.offset, self.us, self.result, self.failure = offset, us, result, failure


class Outcomes:
    """What is known of a call and not yet sent. `end`: when failures end it."""

    def __init__(self, call: int, end: CallEnd) -> None:
        self.call, self.end = call, end
        self.start = 0  # everything before was sent
        self.results: list[int | str] = []
        self.durations: list[int] = []
        self.failures: list[tuple[int, dict[str, Any], int]] = []
        """Without fields where the unit was cancelled."""
        self.logs: dict[int, str] = {}
        self.logged = 0

    def add_log(self, offset: int, log: str) -> None:
        self.logs[offset] = self.logs.get(offset, "") + log
        self.logged += len(log)

    def body(self, stop: int, rest: Sequence[int] = ()) -> bytes:
        """The frame for units up to `stop`, and `rest`, which goes back."""
        header = {
            "done": self._ranges(stop),
            **_durations(self.durations),
            "failures": [failure for failure in self.failures if failure[1]],
            "cancelled": [offset for offset, fields, _ in self.failures if not fields],
            "returned": list(rest),
            "logs": self.logs,
        }
        told = {"id": self.call, **{name: value for name, value in header.items() if value}}
        text = "\n".join([json.dumps(told, separators=(",", ":")), *map(str, self.results)])
        self.start = stop
        self.results, self.durations, self.failures, self.logs = [], [], [], {}
        self.logged = 0
        return text.encode("ascii")

    def _ranges(self, stop: int) -> list[tuple[int, int]]:
        """[from, to] (`to` is not in it) of what is done: all but the failures."""
        ranges, start = [], self.start
        for offset, _, _ in self.failures:
            if offset > start:
                ranges.append((start, offset))
            start = offset + 1
        if stop > start:
            ranges.append((start, stop))
        return ranges


def _durations(durations: list[int]) -> dict[str, Any]:
    """Microseconds: two hexadecimal digits for each unit, and what these cannot say, by its place among them."""
    long = {}
    if durations and max(durations) > SHORT:
        long = {place: us for place, us in enumerate(durations) if us > SHORT}
        durations = [min(us, SHORT) for us in durations]
    return {"us": bytes(durations).hex(), "long": long}


class Caller:
    """Runs calls with one prepared function."""

    def __init__(
        self, function: Callable[[Any], Any], wire: Wire, journal: Journal, aftermath: Aftermath, service: Service
    ) -> None:
        self._function, self._wire, self._journal, self._aftermath = function, wire, journal, aftermath
        self._failures = self._ended_at = 0
        self._ending = False
        self.service = service
        signal.signal(signal.SIGTERM, self._on_term)

    def _on_term(self, _number: int, frame: Any) -> None:
        """The coordinator's first SIGTERM ends the unit by an exception if it is in the author's code, else the worker at the next unit."""
        if self._ending:
            return
        if not self._journal.ending():  # not from the coordinator: it ends this worker as it ends any process
            signal.signal(signal.SIGTERM, signal.SIG_DFL)
            os.kill(os.getpid(), signal.SIGTERM)
        self._ending, self.service.deadline = True, 0.0
        if not self._journal.running():
            os._exit(128 + signal.SIGTERM)
        if frame is not None and not frame.f_code.co_filename.startswith(_OWN):
            raise Terminated

    def refuses(self, call: Mapping[str, Any]) -> bool:
        """Whether a call was sent before its sender knew that the step stops or that an earlier unit failed."""
        return self._journal.recalled(call["number"]) or ("ends" in call and call["seen"] < self._ended_at)

    def run(self, call: Mapping[str, Any]) -> None:
        """Run a call's units in turn and report all of them."""
        units: Any = range(*call["range"]) if "range" in call else call["units"]
        outcomes = Outcomes(call["id"], CallEnd(*call.get("ends", (None, False))))
        stop = 0
        if not self.refuses(call):
            if "shared" in call:
                spread_items(units, call["slot"], call["shared"])
            self._journal.begin(call["number"], call["id"], len(units))
            self._aftermath.output.connect()
            stop = self._loop(units[: self.service.left], outcomes)
            self.service.left -= stop
            self._aftermath.of_call()
        if outcomes.start < len(units):  # each frame says something: who has heard of all units waits for no other
            self._send(outcomes, stop, range(stop, len(units)))
        if self._ending:
            os._exit(128 + signal.SIGTERM)
        if self.service.over:
            self._wire.send_json(LEAVING, {})

    def _loop(self, units: Sequence[Any], outcomes: Outcomes) -> int:
        """Run units; how many were started."""
        journal, function, service = self._journal, self._function, self.service
        words, times, shared = journal.pages.words, journal.pages.times, journal.pages.map
        aftermath, surroundings, output = self._aftermath, self._aftermath.surroundings, self._aftermath.output
        silent, log, seek, clock = aftermath.silent, output.descriptor, os.lseek, perf_counter
        results, durations = outcomes.results, outcomes.durations
        words[MARK] = mark = output.trim()
        end, limit, end_at = journal.end, journal.limit, journal.end_at
        encode, values, ends = self._manner()
        aftermath.heard = 0
        failure: dict[str, Any] | None = None
        began = clock()
        service.deadline = began + HAND_BACK_S
        number = 0
        for number, unit in enumerate(units, 1):
            times[BEGAN] = began
            words[START] = number
            if shared[0] or began > service.deadline:  # after it was noted as begun, see `Journal`
                number -= 1  # noqa: PLW2901
                break
            try:
                result = encode(function(unit))
            except BaseException as error:  # noqa: BLE001  whatever a task raises is an outcome
                failure, result, limit = _failure(error), "", 0
            ended = clock()
            us = int((ended - began) * 1e6)
            if us > surroundings.look_from_us or not (silent or seek(log, 0, 2) == mark):
                result, limit = str(result), 0  # the long way
            if type(result) is int:
                values[number] = result
                ends[number] = us + 1
            else:
                record = f"D{number - 1} {us} {result}\n".encode("ascii")
                stop = end + len(record)
                if stop > limit:
                    journal.end = end
                    self._note(Ended(number - 1, us, result, failure), record, outcomes)
                    failure, mark, silent = None, words[MARK], aftermath.silent
                    results, durations = outcomes.results, outcomes.durations
                    end, limit, end_at = journal.end, journal.limit, journal.end_at
                    encode, values, ends = self._manner()
                    began = clock()
                    continue
                shared[end:stop] = record
                words[end_at] = end = stop
            results.append(result)
            durations.append(us)
            began = ended
        journal.end = end
        self._listen(number - 1, outcomes)
        journal.rest()
        return number

    def _manner(self) -> tuple[Callable[[Any], Any], Any, Any]:
        """How results are noted now: what makes texts of them (but of numbers, where the table has room), and the columns of the table."""
        room = self._journal.room
        return (encode_result, (), ()) if room is None else (number_or_text, room.values, room.ends)

    # ------------------------------------------------------------ less often

    def _listen(self, last: int, outcomes: Outcomes) -> None:
        """At the end of a call: code that was not listened to must not have printed."""
        aftermath, journal = self._aftermath, self._journal
        if aftermath.silent and last >= 0 and aftermath.output.end() != journal.output_from():
            note = self._look(Ended(last, 0, "", None), outcomes)
            if note:
                journal.add(note.encode("ascii"))

    def _note(self, ended: Ended, record: bytes, outcomes: Outcomes) -> None:
        """Note the outcome of a unit that failed, may have left something behind, or needs room. `record`: of its result."""
        journal, aftermath = self._journal, self._aftermath
        note = ""
        if ended.us > aftermath.surroundings.look_from_us or aftermath.output.end() != journal.output_from():
            note = self._look(ended, outcomes)
        if ended.failure is None:
            outcomes.results.append(ended.result)
            outcomes.durations.append(ended.us)
            record = note.encode("ascii") + record
        else:
            record = (note + self._fail(ended.offset, ended.us, ended.failure, outcomes)).encode("ascii")
        if journal.end + len(record) <= journal.limit:
            journal.append(record)
        else:
            self._keep(ended.offset, record, outcomes)
            journal.pages.words[MARK] = aftermath.output.trim()
        aftermath.heard = ended.offset + 1

    def _fail(self, offset: int, us: int, failure: dict[str, Any], outcomes: Outcomes) -> str:
        """Note a failure, or that the unit was cancelled; its record."""
        outcomes.failures.append((offset, failure, us))
        if not failure:
            return f"C{offset} {us}\n"
        self._failures += 1
        if outcomes.end.comes_with(failure):
            self._ended_at = self._failures
            self.service.deadline = 0.0
        self.service.failed(failure)
        return f"F{offset} {us} {int(time() * 1000)} {json.dumps(failure)}\n"

    def _look(self, ended: Ended, outcomes: Outcomes) -> str:
        """After a unit that took long, printed or changed something: a record of its output, behind which the next one's begins."""
        mark = self._journal.output_from()
        end, log = self._aftermath.of_unit(mark, ended.us, ended.failure is not None)
        if end == mark:
            return ""
        unclear = self._aftermath.silent and ended.offset > self._aftermath.heard
        self._aftermath.silent = False
        self._journal.pages.words[MARK] = end
        if unclear:
            outcomes.add_log(NOBODY, f"{UNHEARD}\n{log}")
            return ""
        outcomes.add_log(ended.offset, log)
        if outcomes.logged > LOGS_MAX:
            self._journal.limit = 0  # with this unit it is time for a frame
        return f"L{ended.offset} {json.dumps(log)}\n"

    def _keep(self, offset: int, record: bytes, outcomes: Outcomes) -> None:
        """Note an outcome that needs more room, and send what there is."""
        journal = self._journal
        kept = journal.add(record)
        if not kept:
            journal.unkept(offset)
        self._send(outcomes, offset + 1)
        if not kept:
            journal.wait_until_kept()
        journal.expect()

    def _send(self, outcomes: Outcomes, stop: int, rest: Sequence[int] = ()) -> None:
        self._wire.send(OUTCOMES, outcomes.body(stop, rest))
        self._journal.frames += 1


def _failure(error: BaseException) -> dict[str, Any]:
    """Its fields; none where the unit was cancelled."""
    if isinstance(error, Terminated):
        return {}
    return failure_fields(error)


def spread_items(units: list[Any], slot: int, shared: list[Any]) -> None:
    """Put the batches' items, which stand once in the call, into the payloads of their units."""
    users = [0] * len(shared)
    for unit in units:
        users[unit[slot]["shared"]] += 1
    made = [Shared("batch.items", items) if count > 1 else items for items, count in zip(shared, users)]
    for unit in units:
        view = unit[slot]
        view["items"] = made[view.pop("shared")]
