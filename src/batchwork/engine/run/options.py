"""What a run is told beside its plan, and how it ended, as values. What the store keeps of it is in lifecycle.py."""

from __future__ import annotations

from msgspec import Struct

from batchwork.censor import Censor, NoCensor
from batchwork.model import RunStatus


class RunOptions(Struct, frozen=True):
    """`max_parallel` lowers that of every step. `cookie` marks all processes of the run, `censor` takes out its secrets."""

    state_dir: str
    """Absolute; where logs and the run's own folder are."""
    cookie: str
    max_parallel: int | None = None
    allow_failures: bool = False
    resumed: bool = False
    censor: Censor = NoCensor()


class RunEnd(Struct, frozen=True):
    """How a run ended. `message` says in words what a person may do next; it may be empty."""

    run: str
    status: RunStatus
    exit_code: int
    message: str = ""
