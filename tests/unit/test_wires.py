"""The descriptions of the wires are true: their examples are decoded by those who listen, and a real run sends the fields they show."""

from __future__ import annotations

import json
import os
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from batchwork.model import Call, Units
from batchwork.ports import Staffing
from batchwork.workers import frames, link
from batchwork.workers.python import orders as python_orders
from batchwork.workers.python import reports as python_reports
from batchwork.workers.python.program import calls, wire
from batchwork.workers.reactor import orders as reactor_orders
from batchwork.workers.reactor import reports as reactor_reports
from batchwork.workers.reactor.program import outbox
from crash.python_workers import Workers
from crash.reactors import Prepared, Reactor, sh

CALL = Call(7, 1, Units(range(5), range(5), list("abcde"), list("abcde")), [["a"], ["b"], ["c"], ["d"], ["e"]])


def examples(module: ModuleType) -> list[tuple[str, bytes]]:
    """The example frames of a module's description: a tag, and a body whose further lines are indented by two."""
    found: list[tuple[str, str]] = []
    for line in re.findall(r"^    (.*)", module.__doc__ or "", re.MULTILINE):
        if re.match(r"[A-Z] \{", line):
            found.append((line[0], line[2:]))
        else:
            tag, body = found.pop()
            found.append((tag, body + (" " if line.startswith("   ") else "\n") + line.strip()))
    return [(tag, body.encode()) for tag, body in found]


def example(module: ModuleType, wanted: str, number: int = 0) -> bytes:
    return [body for tag, body in examples(module) if tag == wanted][number]


def fields(bodies: list[tuple[str, bytes]]) -> dict[str, set[str]]:
    """What stands in the first lines of bodies, by tag; fields of a mapping that is always the same too."""
    found: dict[str, set[str]] = defaultdict(set)
    for tag, body in bodies:
        head = json.loads(body.split(b"\n")[0])
        found[tag] |= head.keys() | {f"runtime.{name}" for name in head.get("runtime", {})}
        found[tag] |= {f"failure.{name}" for _, failure, _ in head.get("failures", ()) for name in failure}
    return dict(found)


# ---------------------------------------------------------------- frames


def test_the_example_of_a_frame_is_one() -> None:
    shown = re.search(r"^    ([0-9a-f ]+)$", frames.__doc__ or "", re.MULTILINE)
    assert shown is not None
    data = bytes.fromhex(shown[1])
    assert list(frames.FrameReader().feed(data)) == [(frames.RECALL, b"{}")]
    assert frames.frame(frames.RECALL, b"{}") == data


def through_a_pipe(data: bytes) -> tuple[int, bytes] | None:
    read, write = os.pipe()
    os.write(write, data)
    os.close(write)
    try:
        return wire.Wire(read, -1).receive()
    finally:
        os.close(read)


def test_the_program_of_a_python_worker_speaks_the_same_frames() -> None:
    assert through_a_pipe(frames.frame(frames.CALL, b"{}")) == (wire.CALL, b"{}")
    for name in ("PREPARE", "CALL", "PAGE", "READY", "BROKEN", "OUTCOMES", "QUERY"):
        assert getattr(frames, name) == getattr(wire, name)


# ---------------------------------------------------------------- a Python worker's wire


def test_what_a_python_worker_is_told_is_as_described() -> None:
    def told(body: bytes) -> Any:
        heard = through_a_pipe(frames.frame(frames.CALL, body))
        assert heard is not None
        return json.loads(heard[1])

    prepare = {"kind": "code", "code": "return item", "names": ["item"]}
    staffing = Staffing(1, None, "cookie", {}, "/srv")
    assert told(python_orders.prepare_body(prepare, staffing, 0)) == told(example(python_orders, "P"))
    sent = python_reports.Sent(Call(7, 1, CALL.units, CALL.payloads[:4], 1), 1)
    assert told(python_orders.call_body(sent, 0, None)) == told(example(python_orders, "C"))
    items = ["a", "b"]
    batch = python_reports.Sent(Call(8, 1, CALL.units, [[{"index": 0, "items": items}]]), 2)
    shared = told(example(python_orders, "C", 1))
    assert told(python_orders.call_body(batch, 1, 0)) == shared
    calls.spread_items(shared["units"], shared["slot"], shared["shared"])
    assert shared["units"] == batch.call.payloads
    numbers = python_reports.Sent(Call(9, 1, CALL.units, range(1000)), 3)
    assert told(python_orders.call_body(numbers, 1, None)) == told(example(python_orders, "C", 2))
    assert told(python_orders.page_body("[1,2]")) == told(example(python_orders, "R"))
    assert told(python_orders.page_body(None, "there are no earlier results here")) == told(
        example(python_orders, "R", 1)
    )


def test_what_a_python_worker_says_is_as_described() -> None:
    body = example(wire, "O")
    sent = python_reports.Sent(CALL, 1)
    report = python_reports.report_of(sent, body, "python/1")
    assert (report.call, [*report.done], [*report.results], [*report.durations_us]) == (
        7,
        [0, 1],
        ['{"a":1}', "null"],
        [12, 900],
    )
    assert [(offset, failure.type, failure.message, us) for offset, failure, us in report.failures] == [
        (2, "ValueError", "no", 15)
    ]
    assert ([*report.cancelled], [*report.returned], report.logs, sent.left) == ([3], [4], {0: "printed\n"}, 0)
    outcomes = calls.Outcomes(7, calls.CallEnd(None, forgives=False))
    outcomes.results, outcomes.durations = list(report.results), list(report.durations_us)
    outcomes.failures = [(2, {"type": "ValueError", "message": "no", "traceback": ""}, 15), (3, {}, 1)]
    outcomes.add_log(0, "printed\n")
    head, *results = outcomes.body(4, [4]).split(b"\n")
    assert [json.loads(head), *results] == [json.loads(body.split(b"\n")[0]), *body.split(b"\n")[1:]]


# ---------------------------------------------------------------- a reactor's wire


def test_what_a_reactor_is_told_is_as_described() -> None:
    told = {tag: json.loads(body) for tag, body in examples(reactor_orders)}
    staffing = Staffing(8, None, "c0ffee", {"PATH": "/bin"}, "/srv")
    assert told == {
        "P": json.loads(reactor_orders.program_order(Prepared({"kind": "shell"}), staffing)),
        "C": json.loads(
            reactor_orders.call_order(Call(7, 1, CALL.units, [{"argv": ["true"]}, {"argv": ["false"]}], 1))
        ),
        "S": json.loads(reactor_orders.RECALL_ORDER),
        "X": json.loads(reactor_orders.end_order(5.0)),
    }


def test_what_a_reactor_says_is_as_described() -> None:
    body = example(outbox, "O")
    ledger = reactor_reports.Ledger()
    ledger.sent(CALL)
    report = ledger.report(body, "reactor-1")
    assert (report.call, [*report.done], [*report.durations_us]) == (7, [0, 1], [12, 9])
    assert json.loads(report.results[1])["stdout"] == "a"
    assert [(offset, failure.exit_code, us) for offset, failure, us in report.failures] == [(2, 3, 15)]
    assert ([*report.cancelled], [*report.returned]) == ([3], [4])
    assert report.logs == {0: "left 1 process behind, killed\n"}
    assert ledger.report(body, "reactor-1").count == 0  # all of the call is reported
    tally = outbox._Tally()
    tally.done = [(0, 12, report.results[0]), (1, 9, report.results[1])]
    tally.failures = [(2, {"type": "exit", "message": "no", "exit_code": 3}, 15)]
    tally.cancelled, tally.returned, tally.logs = [3], [4], dict(report.logs)
    [(tag, sent)] = frames.FrameReader().feed(tally.frame(7))
    assert (chr(tag), sent.split(b"\n")[1:]) == ("O", body.split(b"\n")[1:])
    assert json.loads(sent.split(b"\n")[0]) == json.loads(body.split(b"\n")[0])


# ---------------------------------------------------------------- real runs


class Tap:
    """All frames of a real run: what went to workers, and what came from them."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.told: list[tuple[str, bytes]] = []
        self.said: list[tuple[str, bytes]] = []
        send, feed = link.Link.send, frames.FrameReader.feed

        def sent(own: link.Link, tag: int, body: bytes) -> None:
            self.told.append((chr(tag), body))
            send(own, tag, body)

        def heard(own: frames.FrameReader, data: bytes) -> Iterator[tuple[int, bytes]]:
            for tag, body in feed(own, data):
                self.said.append((chr(tag), body))
                yield tag, body

        monkeypatch.setattr(link.Link, "send", sent)
        monkeypatch.setattr(frames.FrameReader, "feed", heard)


CODE = """
if item["items"] == ["no"]:
    raise ValueError("no")
print("printed")
import time
if "file" in item:
    open(item["file"], "w").close()
    time.sleep(60)
time.sleep(0.1)
return len(users[0])
"""
TOLD = {
    "fixed": {"users": {"sequence": {"step": "users", "counts": {}, "duration": 1.0, "length": 1}}},
    "names": ["item"],
    "takes_item": False,
    "batch_slot": 0,
}


def test_a_run_of_python_workers_sends_what_is_described(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    tap = Tap(monkeypatch)
    batches = [[{"index": number, "items": [text]}] for number, text in enumerate(["no", "yes", "later", "later"])]
    workers = Workers(CODE, TOLD, lambda query: '["abc"]')
    assert workers.run(batches).results == {1: "3", 2: "3", 3: "3"}
    begun = tmp_path / "begun"
    workers.submit([[{"index": 9, "items": ["stop"], "file": str(begun)}]], [9], ends=(1, False))
    workers.wait(begun.exists)
    workers.executor.cancel()
    workers.wait(workers.idle)
    workers.executor.close()
    alone = Workers("return users[0]", {**TOLD, "takes_item": True, "batch_slot": None})
    assert "no earlier results" in alone.run(["a"]).failures[0].message
    alone.executor.close()
    numbers = Workers("return item", {})
    numbers.submit(range(7, 1, -2))
    numbers.wait(numbers.idle)
    assert numbers.ends.results == {0: "7", 1: "5", 2: "3"}
    numbers.executor.close()
    leaving = Workers("return item", {"max_items_per_worker": 1})
    assert leaving.run([1, 2]).results == {0: "1", 1: "2"}
    leaving.executor.close()
    broken = Workers("return (", {})
    broken.submit(["a"])
    with pytest.raises(Exception, match="SyntaxError"):
        broken.wait(lambda: False)
    broken.executor.close()
    assert fields(tap.told) == fields(examples(python_orders))
    assert fields(tap.said) == fields(examples(wire))


def test_a_run_of_a_reactor_sends_what_is_described(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    begun = tmp_path / "begun"
    tap = Tap(monkeypatch)
    reactor = Reactor({"kind": "shell", "capture_limit": 1000}, slots=2)
    reactor.run([sh("setsid sleep 60 & exit 0"), sh("exit 3")], (1, True))
    ends = reactor.submit([sh(f"echo 1 >> {begun}; exec sleep 60")] * 3)
    reactor.until(lambda: begun.exists() and len(begun.read_text()) == 4)
    reactor.executor.recall()
    reactor.until(lambda: ends.returned)
    reactor.executor.cancel()
    reactor.finish()
    reactor.executor.close()
    broken = Reactor({"kind": "x"})
    broken.submit([sh("true")])
    with pytest.raises(Exception, match="cannot be prepared"):
        broken.until(lambda: False)
    broken.executor.close()
    assert fields(tap.told) == fields(examples(reactor_orders))
    said, described = fields(tap.said), fields(examples(outbox))
    assert {name for name in said["O"] if "." not in name} == {name for name in described["O"] if "." not in name}
    assert (said["H"], said["E"]) == (described["H"], described["E"])
