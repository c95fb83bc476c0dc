"""One execution of a run, from here to its end or the next stop: what it is told, and how it ended, as values."""

from __future__ import annotations

from msgspec import Struct

from batchwork.censor import Censor, NoCensor
from batchwork.model import RunRecord, RunStatus
from batchwork.plan.model import Plan


class Execution(Struct, frozen=True):
    """A run in the hands of this process. `max_parallel` lowers that of every step.

    `cookie` marks all of its processes, those of earlier executions too. `censor` takes out its secrets.
    """

    plan: Plan
    record: RunRecord
    cookie: str
    censor: Censor = NoCensor()
    max_parallel: int | None = None
    allow_failures: bool = False
    resumed: bool = False


class RunEnd(Struct, frozen=True):
    """How a run ended. `message` says in words what a person may do next; it may be empty."""

    run: str
    status: RunStatus
    exit_code: int
    message: str = ""
