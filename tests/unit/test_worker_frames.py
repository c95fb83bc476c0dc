"""What a Python worker says of a call, frame by frame: each unit once, and no frame that says nothing."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Iterator
from contextlib import closing
from types import SimpleNamespace
from typing import Any, cast

import pytest

from batchwork.workers.journals.journal import WorkerJournal
from batchwork.workers.nameless_file import nameless_file
from batchwork.workers.python.program.calls import Caller
from batchwork.workers.python.program.journal import Journal
from batchwork.workers.python.program.output import Output
from batchwork.workers.python.program.service import Service
from batchwork.workers.python.program.traces.aftermath import Aftermath
from batchwork.workers.python.program.wire import LEAVING, OUTCOMES, Wire

LARGE, SMALL = 1_100_000, 10


class Frames:
    """In place of the wire: keeps what is sent."""

    def __init__(self) -> None:
        self.sent: list[list[int]] = []
        self.leaves = False

    def send(self, tag: int, body: bytes) -> None:
        assert tag == OUTCOMES and not self.leaves
        told = json.loads(body.partition(b"\n")[0])
        done = [offset for start, stop in told.get("done", ()) for offset in range(start, stop)]
        self.sent.append(done + [failure[0] for failure in told.get("failures", ())] + told.get("returned", []))

    def send_json(self, tag: int, _value: Any) -> None:
        assert tag == LEAVING
        self.leaves = True


class NothingLeft:
    """In place of what looks after units."""

    surroundings = SimpleNamespace(look_from_us=100)
    silent = False

    def __init__(self) -> None:
        self.output = Output(nameless_file("output"))

    def of_unit(self, start: int, _us: int, _failed: bool) -> tuple[int, str]:
        return start, ""

    def of_call(self) -> None:
        pass


def run(size: int) -> str:
    if size < 0:
        raise ValueError("too small")
    return "x" * size


@pytest.fixture
def wire() -> Iterator[Frames]:
    before = signal.getsignal(signal.SIGTERM)
    yield Frames()
    signal.signal(signal.SIGTERM, before)


@pytest.mark.parametrize("most", [None, 2], ids=["all", "a service that ends"])
@pytest.mark.parametrize(
    "sizes",
    [
        [SMALL],
        [LARGE],
        [SMALL, LARGE],
        [LARGE, SMALL],
        [LARGE, LARGE, LARGE],
        [SMALL, SMALL, SMALL, LARGE],
        [LARGE, -1],
        [-1, -1, LARGE],
        [SMALL] * 4,
    ],
    ids=lambda sizes: " ".join({LARGE: "large", SMALL: "small"}.get(size, "failed") for size in sizes),
)
def test_each_frame_says_something_and_each_unit_is_said_once(
    wire: Frames, monkeypatch: pytest.MonkeyPatch, sizes: list[int], most: int | None
) -> None:
    """A frame that says nothing comes when the other side is done with the call: it would be taken for one of the next call."""
    monkeypatch.setattr(Output, "connect", lambda _: None)
    with closing(WorkerJournal(nameless_file("test"))) as ours:
        aftermath = cast(Aftermath, NothingLeft())
        journal = Journal(os.dup(ours.descriptor))
        Caller(run, cast(Wire, wire), journal, aftermath, Service(most)).run({"id": 7, "number": 1, "units": sizes})
    assert all(wire.sent)
    assert [offset for frame in wire.sent for offset in sorted(frame)] == [*range(len(sizes))]
    assert journal.frames == len(wire.sent)
    assert wire.leaves == (most is not None and len(sizes) >= most)
