"""Facts that are on disk, as frozen dataclasses; what every view is fed with. Facts about units come as counts, never singly."""

from __future__ import annotations

import json
from dataclasses import asdict
from typing import TypeAlias

from batchwork.frozen import dataclass
from batchwork.model import Counts, RunStatus, StepStatus


@dataclass(frozen=True, slots=True)
class RunStarted:
    run: str
    workflow: str
    resumed: bool
    store: str


@dataclass(frozen=True, slots=True)
class StepStarted:
    step: str
    counts: Counts
    batch: bool


@dataclass(frozen=True, slots=True)
class Progressed:
    """Counts of a step after a commit; at most ten a second for each step. `running` are attempts in progress."""

    step: str
    counts: Counts
    running: int
    retrying: int = 0


@dataclass(frozen=True, slots=True)
class StepFinished:
    step: str
    status: StepStatus
    counts: Counts
    duration_s: float
    error: str = ""
    batch: bool = False


@dataclass(frozen=True, slots=True)
class Said:
    """An `echo` task's message, to be printed on standard output."""

    step: str
    text: str


@dataclass(frozen=True, slots=True)
class Warned:
    """Something a person should know, once."""

    text: str
    step: str = ""


@dataclass(frozen=True, slots=True)
class Stopping:
    """A stop was asked for. `level` 1: no new units; 2: running ones are terminated; 3: killed."""

    level: int
    reason: str
    running: int


@dataclass(frozen=True, slots=True)
class RunFinished:
    run: str
    status: RunStatus
    duration_s: float
    message: str = ""


Event: TypeAlias = RunStarted | StepStarted | Progressed | StepFinished | Said | Warned | Stopping | RunFinished


def to_json(event: Event) -> str:
    """One line of JSON: `{"event": "Progressed", …}`."""
    return json.dumps({"event": type(event).__name__, **asdict(event)})
