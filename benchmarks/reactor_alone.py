"""The reactor alone, without coordinator and store: calls of units go in, reports come out. What it is compared with is elsewhere."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from batchwork.clock import SystemClock
from batchwork.model import Call, Units
from batchwork.ports import Scope, Staffing, WorkerKind
from batchwork.text.jsontext import Json
from batchwork.workers.reactor.executor import ReactorExecutor


@dataclass(frozen=True, slots=True)
class Prepared:
    """A program that is only a prepared part; payloads are made by the benchmark."""

    prepare: Mapping[str, Json]
    worker: WorkerKind = "reactor"
    takes_item: bool = False
    says: bool = False
    uses: frozenset[str] = frozenset()

    def bind(self, scope: Scope) -> Json:
        raise LookupError(f"payloads are ready-made: {scope}")


def seconds(prepare: Mapping[str, Json], payloads: Sequence[Json], at_once: int, chunk: int = 50) -> float:
    """Wall time from the start of the reactor's process to its end; all must succeed."""
    executor = ReactorExecutor(SystemClock())
    started = time.perf_counter()
    executor.start(
        Prepared(prepare), Staffing(at_once, None, cookie="bench", environ=dict(os.environ), cwd=os.getcwd())
    )
    done = sent = number = 0
    while done < len(payloads):
        while sent < len(payloads) and executor.load()[0] < 2 * at_once + chunk:
            part = payloads[sent : sent + chunk]
            seqs = range(sent, sent + len(part))
            executor.submit(0, Call(number, 1, Units(seqs, seqs, [str(seq) for seq in seqs], [None] * len(part)), part))
            sent += len(part)
            number += 1
        for report in executor.poll(10.0):
            assert not report.failures, report.failures[0]
            done += len(report.done)
    executor.close()
    return time.perf_counter() - started
