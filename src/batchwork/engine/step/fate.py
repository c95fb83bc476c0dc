"""What becomes of a step: it has finished, failed, or was stopped and is to be resumed."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct

from batchwork.model import Counts, Failure


class StepDone(Struct, frozen=True):
    """All units are settled. `result` is the JSON text of a step without items; of one with items that of its aggregates."""

    counts: Counts
    result: str | None = None


class StepFailed(Struct, frozen=True):
    """Something ended it: its one unit, too many of its units, or what kept it from running at all.

    `complete`: all units have an outcome, and what was to be made of them failed.
    """

    counts: Counts
    failure: Failure
    complete: bool = False


class StepStopped(Struct, frozen=True):
    """It was asked to stop, and a resume goes on with it."""

    counts: Counts


Fate: TypeAlias = StepDone | StepFailed | StepStopped
