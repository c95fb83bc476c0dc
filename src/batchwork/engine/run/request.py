"""What a run is asked to do, the concrete parts it does it with, one execution of it, and how that ended, as values."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final

from msgspec import Struct

from batchwork.censor import Censor, NoCensor
from batchwork.clock import Clock
from batchwork.errors import UsageError
from batchwork.model import RunRecord, RunStatus
from batchwork.plan.model import Plan
from batchwork.ports import EventSink, Executor, ExecutorFactory, Pager, Program, Staffing, Store
from batchwork.ports.executors import NODE_LEASE_S, NODE_MARGIN_S, NODE_WAIT_S
from batchwork.ports.journals import NO_JOURNALS, ExecutionMark, Journals
from batchwork.text.patterns import pattern

_RUN_ID: Final = pattern(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,63}\Z")


WITHHELD: Final = "withheld"
"""What is recorded in place of an executor that has a secret in it."""


class Nodes(Struct, frozen=True):
    """Where work is done and what holds there. `executor` is `local`, or names where other machines are found.

    For `wait_s` seconds without any, the run goes on waiting. One that is not heard of for `lease_s` ends all that it does.
    """

    executor: str = "local"
    wait_s: float = NODE_WAIT_S
    lease_s: float = NODE_LEASE_S

    @property
    def elsewhere(self) -> bool:
        """Whether there are other machines."""
        return self.executor != "local"

    @property
    def given_up_s(self) -> float:
        """Seconds from when a machine was last heard of to when nothing that it did can be going on any more."""
        return self.lease_s + NODE_MARGIN_S if self.elsewhere else 0.0


class Workplaces(Struct, frozen=True):
    """Starts workers on this machine; `elsewhere` makes what starts them on others, which are sent away at the end."""

    here: ExecutorFactory
    elsewhere: Callable[[Nodes], ExecutorFactory]

    def __call__(self, program: Program, staffing: Staffing, pages: Pager | None = None) -> Executor:
        return self.here(program, staffing, pages)

    def of(self, nodes: Nodes) -> ExecutorFactory:
        """What starts workers where a run wants them. Raises UsageError."""
        if not nodes.elsewhere:
            return self.here
        if nodes.executor == WITHHELD:
            message = "the executor of this run was recorded without its secret"
            raise UsageError(message, "give it again, with `--executor`")
        return self.elsewhere(nodes)


class Aftercare(Struct, frozen=True):
    """What is cared for in case that this process dies.

    `guard` is told the mark of a run's processes before the first is started: none of them may outlive this one.
    """

    guard: Callable[[str], None] | None = None
    journals: Journals = NO_JOURNALS


class Backends(Struct, frozen=True):
    """The parts of the house that are behind ports. `state_dir` is absolute; `environ` is what secrets are taken from."""

    store: Store
    executors: ExecutorFactory
    sink: EventSink
    clock: Clock
    environ: Mapping[str, str]
    cwd: str
    state_dir: str
    aftercare: Aftercare = Aftercare()


class RunRequest(Struct, frozen=True):
    """What was asked for beside the workflow. `max_parallel` lowers that of every step, also when the run is resumed.

    `reread`: units that are recorded run again with the values that the source has now, not with those that they had.
    """

    run_id: str | None = None
    max_parallel: int | None = None
    durability: str = "full"
    allow_failures: bool = False
    accept_changes: bool = False
    reread: bool = False
    nodes: Nodes | None = None
    """Where the work is done: as it was before, or here, where nothing is said."""


def check_run_id(run_id: str) -> None:
    """Raises UsageError where a new run may not have that name: commands would take it for an option, or a path for hidden."""
    if not _RUN_ID.match(run_id):
        raise UsageError(
            f"`{run_id}` cannot be the name of a run",
            "use 1 to 64 letters, digits, `.`, `_`, `-`, not beginning with a dot or a `-`",
        )


class RetryRequest(RunRequest, frozen=True):
    """What is asked of a retry: the failed units for which the expression `where` is true, all of them without one.

    `downstream` runs the steps again that come after the retried ones.
    """

    where: str | None = None
    downstream: bool = False


class Execution(Struct, frozen=True):
    """A run in the hands of this process. `max_parallel` lowers that of every step.

    `mark` is that of all its processes, and of no other execution; what `earlier` ones left is not recorded yet. `censor`
    takes out its secrets.
    """

    plan: Plan
    record: RunRecord
    mark: ExecutionMark
    censor: Censor = NoCensor()
    max_parallel: int | None = None
    request: RunRequest = RunRequest()
    resumed: bool = False
    earlier: tuple[ExecutionMark, ...] = ()

    @property
    def cookie(self) -> str:
        return self.mark.id


class RunEnd(Struct, frozen=True):
    """How a run ended. `message` says in words what a person may do next; it may be empty."""

    run: str
    status: RunStatus
    exit_code: int
    message: str = ""
