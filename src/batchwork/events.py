"""Facts that are on disk, as frozen values; what every view is fed with. Facts about units come as counts, never singly."""

from __future__ import annotations

import json
from typing import TypeAlias

from msgspec import Struct, to_builtins

from batchwork.model import Counts, RunStatus, StepStatus


class RunStarted(Struct, frozen=True):
    run: str
    workflow: str
    resumed: bool
    store: str


class StepStarted(Struct, frozen=True):
    """`stays`: why it runs on this machine, in a run that has others; else empty."""

    step: str
    counts: Counts
    batch: bool
    stays: str = ""


class Progressed(Struct, frozen=True):
    """Counts of a step after a commit; at most ten a second for each step. `running` are attempts in progress."""

    step: str
    counts: Counts
    running: int
    retrying: int = 0


class StepFinished(Struct, frozen=True):
    step: str
    status: StepStatus
    counts: Counts
    duration_s: float
    error: str = ""
    batch: bool = False


class Said(Struct, frozen=True):
    """An `echo` task's message, to be printed on standard output."""

    step: str
    text: str


class WorkerPrepared(Struct, frozen=True):
    """What a Python task's `setup` has printed in one worker, or code of items that is not known to be of one item."""

    step: str
    worker: str
    text: str


class Warned(Struct, frozen=True):
    """Something a person should know, once."""

    text: str
    step: str = ""


class Stopping(Struct, frozen=True):
    """A stop was asked for. `level` 1: no new units; 2: running ones are terminated; 3: killed."""

    level: int
    reason: str
    running: int


class RunFinished(Struct, frozen=True):
    run: str
    status: RunStatus
    duration_s: float
    message: str = ""


Event: TypeAlias = (
    RunStarted | StepStarted | Progressed | StepFinished | Said | WorkerPrepared | Warned | Stopping | RunFinished
)


def to_json(event: Event) -> str:
    """One line of JSON: `{"event": "Progressed", …}`."""
    return json.dumps({"event": type(event).__name__, **to_builtins(event)})
