"""The seam of executors: what they are told, and Executor. No executor is here, see batchwork.workers."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol, TypeAlias

from msgspec import Struct

from batchwork.model import Call, Report
from batchwork.ports.tasks import Program

NODE_WAIT_S: Final = 60.0
"""How long a run goes on without any other machine, where it is to have some and nothing else is said."""
NODE_LEASE_S: Final = 10.0
"""After how long another machine that is cut off ends all that it does, where nothing else is said."""
NODE_MARGIN_S: Final = 2.0
"""How long its processes may take to be gone then. Whoever gives its work to others waits for both: a run, and a resume of it."""


class PageQuery(Struct, frozen=True):
    """A worker's request for a page of an earlier step's results. `what`: results, failed, succeeded."""

    step: str
    what: str
    start: int
    count: int


class Elsewhere(Struct, frozen=True):
    """What holds for workers on other machines. `stays` says why they must be on this one; empty: they need not.

    `room`: how many attempts at once there may be on all machines together, more than here if nobody has said how many.
    `declared` are names of environment variables that the workflow asks for; all others are each machine's own.
    """

    stays: str = ""
    room: int = 0
    declared: tuple[str, ...] = ()


class Staffing(Struct, frozen=True):
    """What an executor needs to know of a step. `slots` is the number of attempts at once, never exceeded.

    `journals` is where workers leave what they do for whoever comes after a crash (a folder and the step's number); then
    each report's `recorded` must be called. Empty: nowhere.
    `asked` are names of error types: what they are names of is told with a failure, as its `kinds`.
    `cookie` marks every process that is started (environment variable BATCHWORK_COOKIE). It is data, and can be sent.
    """

    slots: int
    timeout_s: float | None
    cookie: str
    environ: Mapping[str, str]
    cwd: str
    grace_s: float = 5.0
    journals: str = ""
    asked: tuple[str, ...] = ()
    elsewhere: Elsewhere = Elsewhere()


class Running(Struct, frozen=True):
    """A unit that is running, the one at `offset` of a call, and for how many seconds it has been.

    `stdout` and `stderr` are what it has printed so far, or the tail of it; where both go one way, all is in `stdout`.
    """

    call: int
    offset: int
    for_s: float
    worker: str
    stdout: str = ""
    stderr: str = ""


Pager: TypeAlias = Callable[[PageQuery], str]
"""Answers with a JSON text. Raises BatchworkError where the results cannot be read."""


class Executor(Protocol):
    """Workers of one step. Every method but `wake` is called by the coordinator's thread only.

    Each submitted unit is reported exactly once, as done, failed, cancelled, returned or lost. Where a unit is lost, the rest
    of its call is returned: in order, nothing may run before it is known what becomes of the lost one.
    """

    @property
    def lanes(self) -> int:
        """Workers: each lane works through its own calls in turn. There may come more, but never fewer."""
        ...

    @property
    def width(self) -> int:
        """Attempts at once in one lane: 1 for a Python worker, all slots for a reactor."""
        ...

    @property
    def latency_s(self) -> float:
        """Seconds that a call takes to a lane and its report back, beside the work: calls last long enough to cover it."""
        ...

    def start(self, program: Program, staffing: Staffing, pages: Pager | None = None) -> None:
        """Start the workers (as late as possible); `pages` answers what they ask for. Raises WorkerError."""
        ...

    def warm(self, lanes: int) -> None:
        """Start workers now, so that this many lanes are ready soon; `poll` returns when one has become so."""
        ...

    def ready(self) -> Sequence[bool]:
        """For each lane, whether a call would start at once. Nothing is claimed for a lane that is not ready."""
        ...

    def load(self) -> Sequence[int]:
        """Units submitted and not yet reported, for each lane."""
        ...

    def submit(self, lane: int, call: Call) -> None:
        """Hand a call to a lane; never blocks."""
        ...

    def poll(self, timeout_s: float | None) -> list[Report]:
        """Reports that have come, waiting up to `timeout_s` (None: without limit) for the first, or for `wake`.

        Raises WorkerError, once, where workers cannot be started or prepared at all. What was submitted is reported
        all the same, after a `recall`.
        """
        ...

    def running(self) -> Sequence[Running]:
        """Units that have been running for a second or longer, as far as is known here; it costs no wait.

        The output of all of them together is 4 MiB of text at most.
        """
        ...

    def wake(self) -> None:
        """Make `poll` return; from any thread, also from a signal handler."""
        ...

    def recall(self) -> None:
        """Ask for what has not started; it comes back as `returned`."""
        ...

    def cancel(self) -> None:
        """End what runs: SIGTERM to every process of it, SIGKILL after the grace; comes back as `cancelled`."""
        ...

    def kill(self) -> None:
        """End what runs at once; comes back as `cancelled`."""
        ...

    def close(self) -> None:
        """Stop the workers; afterwards no process that they started is left."""
        ...


class ExecutorFactory(Protocol):
    """Makes and starts the right executor for a program; `pages` answers its workers' questions for earlier results."""

    def __call__(self, program: Program, staffing: Staffing, pages: Pager | None = None) -> Executor: ...
