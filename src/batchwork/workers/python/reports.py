"""From a Python worker's outcomes (a frame, or the records of a dead worker) to Reports, each unit exactly once. Masks secrets."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from typing import Any

from msgspec import Struct, field

from batchwork.model import Call, Failure, Report
from batchwork.workers.python.log import Clean, log_text
from batchwork.workers.python.memory import Record

MESSAGE_MAX = 16 << 10


class Sent(Struct):
    """A call that was submitted, with what has been reported of it. `number` counts the calls of a worker's lane."""

    call: Call
    number: int
    reported: bytearray = field(default_factory=bytearray)
    left: int = 0
    sent: bool = False

    def __post_init__(self) -> None:
        self.left = len(self.call.payloads)
        self.reported = bytearray(self.left)

    def mark(self, start: int, stop: int) -> None:
        """Units from `start` up to `stop` are reported."""
        self.left -= (stop - start) - self.reported.count(1, start, stop)
        self.reported[start:stop] = b"\1" * (stop - start)

    def open_offsets(self) -> list[int]:
        """What is not reported yet."""
        return [offset for offset, done in enumerate(self.reported) if not done]

    def returned(self, worker: str = "") -> Report:
        """Everything that is left goes back."""
        offsets = self.open_offsets()
        self.mark(0, len(self.reported))
        return Report(self.call.id, returned=offsets, worker=worker)


def failure_from(fields: dict[str, Any], clean: Clean) -> Failure:
    """A failure as a worker describes it, masked and cut to size."""
    message, traceback = str(fields.get("message", "")), str(fields.get("traceback", ""))
    if clean is not None:
        message, traceback = clean(message), clean(traceback)
    if len(message) > MESSAGE_MAX:
        message = message[:MESSAGE_MAX] + " …"
    return Failure(
        str(fields.get("type", "")), message, traceback, retryable=fields.get("retryable", True) is not False
    )


def report_of(sent: Sent, body: bytes, worker: str, clean: Clean) -> Report:
    """The report of an outcomes frame. Raises ValueError, KeyError or TypeError where it is not one."""
    end = body.find(b"\n")
    header = json.loads(body[:end] if end >= 0 else body)
    done = _offsets(sent, header.get("done", ()))
    rest = str(memoryview(body)[end + 1 :], "ascii") if done else ""  # no copy between: it may be 64 MiB
    results = _masked([rest] if len(done) == 1 else rest.split("\n"), rest, clean) if done else []
    failures = [(offset, failure_from(fields, clean), us) for offset, fields, us in header.get("failures", ())]
    cancelled, returned = header.get("cancelled", ()), header.get("returned", ())
    for offset in (*(offset for offset, _, _ in failures), *cancelled, *returned):
        sent.mark(offset, offset + 1)
    if len(results) != len(done):
        raise ValueError("an outcomes frame has more results than units")
    logs = {int(offset): log_text(log, clean) for offset, log in header.get("logs", {}).items()}
    return Report(sent.call.id, done, results, header.get("us", ()), failures, cancelled, returned, (), logs, worker)


def _offsets(sent: Sent, ranges: Sequence[Sequence[int]]) -> Sequence[int]:
    for start, stop in ranges:
        sent.mark(start, stop)
    if len(ranges) == 1:
        return range(ranges[0][0], ranges[0][1])
    return [offset for start, stop in ranges for offset in range(start, stop)]


def _masked(results: list[str], joined: str, clean: Clean) -> list[str]:
    """Results without secrets. One look at all of them together; only what changed is looked at again."""
    if clean is None or clean(joined) == joined:
        return results
    return [_masked_json(text, clean) for text in results]


def _masked_json(text: str, clean: Callable[[str], str]) -> str:
    masked = clean(text)
    if masked == text:
        return text
    return json.dumps(_masked_value(json.loads(text), clean), separators=(",", ":"))


def _masked_value(value: Any, clean: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return clean(value)
    if isinstance(value, list):
        return [_masked_value(part, clean) for part in value]
    if isinstance(value, dict):
        return {clean(key): _masked_value(part, clean) for key, part in value.items()}
    text = json.dumps(value)
    return value if clean(text) == text else clean(text)


class Death(Struct, frozen=True):
    """How a worker ended while it had calls. `running` is the offset that it ran, `blame` what that unit gets."""

    records: Sequence[Record]
    running: int | None
    blame: Failure | None  # None: it was cancelled
    us: int
    log: str


def report_of_death(sent: Sent, death: Death, logs: dict[int, str], worker: str, clean: Clean) -> Report:
    """What became of the call that a dead worker was at: recovered outcomes, one to blame, the rest goes back."""
    fresh = [record for record in death.records if not sent.reported[record.offset]]
    done = [record for record in fresh if record.kind == "D"]
    failures = [(r.offset, failure_from(json.loads(r.text), clean), r.us) for r in fresh if r.kind == "F"]
    cancelled = [record.offset for record in fresh if record.kind == "C"]
    for record in fresh:
        sent.mark(record.offset, record.offset + 1)
    running = death.running
    if running is not None and not sent.reported[running]:
        sent.mark(running, running + 1)
        if death.blame is None:
            cancelled.append(running)
        else:
            failures.append((running, death.blame, death.us))
        if death.log:
            logs = {**logs, running: death.log}
    results = _masked([record.text for record in done], "\n".join(record.text for record in done), clean)
    rest = sent.returned()
    return Report(
        sent.call.id,
        [record.offset for record in done],
        results,
        [record.us for record in done],
        failures,
        cancelled,
        rest.returned,
        (),
        logs,
        worker,
    )
