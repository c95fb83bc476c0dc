"""Every seam on one screen: Task, Program, ItemSource, Executor, Store, EventSink. No implementation but the base of third-party tasks.

Each has a contract test in `batchwork.testing.contracts`, published for third parties.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar, Literal, Protocol, TypeAlias

from batchwork.errors import Place, Problem
from batchwork.events import Event
from batchwork.jsontext import Json
from batchwork.model import (
    AttemptRecord,
    Call,
    Checkpoint,
    Claim,
    Counts,
    LogRecord,
    Report,
    RunRecord,
    RunStatus,
    Sample,
    StepRecord,
    StepStatus,
    UnitRecord,
    UnitStatus,
)

# ---------------------------------------------------------------- values and tasks

Scope: TypeAlias = Mapping[str, object]
"""Names that templates and code may use, with their values (JSON data, views such as BatchView, lazy Results)."""


class Value(Protocol):
    """A field as written: JSON data in which any text may be a template. Implemented by `template.Value`."""

    @property
    def roots(self) -> frozenset[str]:
        """The names that it uses; empty for a constant."""
        ...

    @property
    def place(self) -> Place: ...

    def render(self, scope: Scope) -> object:
        """The value in `scope`. Raises RenderError."""
        ...


Fields: TypeAlias = Mapping[str, Value]
WorkerKind: TypeAlias = Literal["python", "reactor", "inline"]


@dataclass(frozen=True, slots=True)
class Setting:
    """What a task type may know when it makes a program.

    `constants` are the names that are the same for every unit (params, env, outputs, steps, run …); `names` are all
    names there are, with those of the unit (item, key, index, attempt, batch, idempotency_key …) in `unit_names`.
    `environ` is what commands get: the process's environment and the workflow's `env:`. Paths are absolute.
    """

    step: str
    constants: Scope
    unit_names: frozenset[str]
    environ: Mapping[str, str]
    workflow_dir: str
    cwd: str
    timeout_s: float | None
    secrets: Sequence[str] = ()

    @property
    def names(self) -> frozenset[str]:
        return self.unit_names | self.constants.keys()


class Program(Protocol):
    """A task made ready for one step: a constant part for each worker and a binding for each unit.

    `prepare` is JSON data, sent once to each worker, except that under `sequences` names may stand for lazy results
    (see worker/frames.py). With `takes_item` the payload is the item itself and `bind` is not called.
    """

    worker: WorkerKind
    prepare: Mapping[str, Any]
    takes_item: bool
    says: bool
    """The result is a text to be printed on standard output."""
    uses: frozenset[str]
    """The unit's names that are needed (`batch` costs memory, so only those who use it get it)."""

    def bind(self, scope: Scope) -> Json:
        """The payload of one unit. `scope` has all names. Raises RenderError or BindError."""
        ...


class Task(Protocol):
    """A task type. Registered under the entry point group `batchwork.tasks`; the class has no state.

    `Fields` is a msgspec Struct: types, defaults and documentation of its fields. `literal` fields are never
    templates. With `open_fields`, fields that `Fields` lacks are further inputs. `needs` fields must be written.
    """

    name: ClassVar[str]
    Fields: ClassVar[type]
    literal: ClassVar[frozenset[str]]
    open_fields: ClassVar[bool]
    default_parallel: ClassVar[int | None]
    """Attempts at once where nothing is said: None for one for each CPU."""

    def check(self, fields: Fields, names: frozenset[str], place: Place) -> Iterable[Problem]:
        """What is wrong beyond the types of fields. `names` are all names there are. Executes and imports nothing."""
        ...

    def warn(self, fields: Fields, names: frozenset[str], place: Place) -> Iterable[Problem]:
        """What is legal but risky."""
        ...

    def code_names(self, fields: Fields) -> frozenset[str]:
        """Names that its code (not its templates) uses, for dependencies and for what is sent to workers."""
        ...

    def identity(self, fields: Fields) -> Json:
        """What is added to the written fields in the plan's fingerprint (the hash of a function's source file)."""
        ...

    def program(self, fields: Fields, setting: Setting) -> Program:
        """The task made ready. Raises RenderError where a constant field does not render."""
        ...


# ---------------------------------------------------------------- items


@dataclass(frozen=True, slots=True)
class Reading:
    """Where a source stands: a fingerprint that changes when its content may have, and whether keys can repeat."""

    fingerprint: str
    length: int | None
    distinct: bool


class ItemSource(Protocol):
    """A stream of items, read once for each execution of its step."""

    def reading(self) -> Reading:
        """Raises SourceError where the source cannot be opened."""
        ...

    def pages(self, start: int, size: int) -> Iterator[Sequence[Json]]:
        """The items from position `start` on, in pages of at most `size` (only the last may be shorter). Raises SourceError."""
        ...

    def close(self) -> None:
        """Ends a command that is still running, closes files."""
        ...


# ---------------------------------------------------------------- executors


@dataclass(frozen=True, slots=True)
class PageQuery:
    """A worker's request for a page of an earlier step's results. `what`: results, failed, succeeded."""

    step: str
    what: str
    start: int
    count: int


@dataclass(frozen=True, slots=True)
class Staffing:
    """What an executor needs to know of a step. `slots` is the number of attempts at once, never exceeded.

    `strict`: a call ends at its first failure (the rest is returned), because failures stop the step or order counts.
    `cookie` marks every process that is started (environment variable BATCHWORK_COOKIE).
    """

    slots: int
    timeout_s: float | None
    strict: bool
    cookie: str
    environ: Mapping[str, str]
    cwd: str
    grace_s: float = 5.0
    pages: Callable[[PageQuery], str] | None = None
    clean: Callable[[str], str] | None = None  # masks secrets


class Executor(Protocol):
    """Workers of one step. Every method but `wake` is called by the coordinator's thread only.

    Each submitted unit is reported exactly once, as done, failed, cancelled, returned or lost.
    """

    lanes: int
    """Workers: each lane works through its own calls in turn."""
    width: int
    """Attempts at once in one lane: 1 for a Python worker, all slots for a reactor."""

    def start(self, program: Program, staffing: Staffing) -> None:
        """Start the workers (as late as possible). Raises WorkerError."""
        ...

    def load(self) -> Sequence[int]:
        """Units submitted and not yet reported, for each lane."""
        ...

    def submit(self, lane: int, call: Call) -> None:
        """Hand a call to a lane; never blocks."""
        ...

    def poll(self, timeout_s: float | None) -> list[Report]:
        """Reports that have come, waiting up to `timeout_s` (None: without limit) for the first, or for `wake`.

        Raises WorkerError where workers cannot be started or prepared at all.
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


ExecutorFactory: TypeAlias = Callable[[Program, Staffing], Executor]
"""Makes and starts the right executor for a program."""


# ---------------------------------------------------------------- store


@dataclass(frozen=True, slots=True)
class UnitPage:
    """Units as stored, in columns, ordered by seq."""

    seqs: Sequence[int]
    keys: Sequence[str]
    indexes: Sequence[int | None]
    statuses: Sequence[str]
    attempts: Sequence[int]
    bases: Sequence[int]
    doubts: Sequence[int]
    all_final: bool = False


@dataclass(frozen=True, slots=True)
class UnitView:
    """One unit with all that is known of it, as `items`, `errors` and `.failed` show it. `status` may be `in_doubt`."""

    step: str
    record: UnitRecord
    status: str
    handler_failure: object | None = None


Committed: TypeAlias = Callable[[Exception | None], None]
"""Called once, on the writer's thread: with None when the checkpoint is on disk, else with the StoreError."""


class Lease(Protocol):
    """Ownership of a run; gone when its process is."""

    def release(self) -> None: ...


class Store(Protocol):
    """Runs, steps, units, attempts, claims, logs, samples. Writing is by one thread; reading from any. Raises StoreError."""

    def close(self) -> None: ...

    def describe(self) -> str:
        """Where it is, for people; passwords masked."""
        ...

    # runs
    def lease(self, run: str) -> Lease:
        """Own a run. Raises RunLocked naming the owner."""
        ...

    def create_run(self, run: RunRecord, steps: Sequence[tuple[str, bool]]) -> None:
        """Record a new run with its steps' (name, has items), in order. Raises RunRefused if the id is taken."""
        ...

    def update_run(self, run: str, **changes: object) -> None:
        """Change fields of a RunRecord: status, ended_ms, window, fingerprint, workflow, options, params."""
        ...

    def run(self, run: str) -> RunRecord | None: ...

    def runs(self) -> list[RunRecord]:
        """Newest first."""
        ...

    # steps
    def steps(self, run: str) -> list[StepRecord]: ...

    def add_steps(self, run: str, steps: Sequence[tuple[str, bool]]) -> None:
        """Set the run's steps' order anew, adding those that are missing (`resume --accept-changes`)."""
        ...

    def update_step(self, step: int, **changes: object) -> None:
        """Change fields of a StepRecord: status, counts, result, failure, started_ms, duration_ms, stale, note."""
        ...

    # units: writing
    def submit(self, checkpoint: Checkpoint, committed: Committed) -> None:
        """Queue a checkpoint for the writer's thread; blocks only while its bounded queue is full.

        Checkpoints are executed in order; several may share a transaction.
        """
        ...

    # units: resuming
    def claims(self, step: int) -> list[Claim]:
        """Claims on disk, each with only those of its units that are neither final nor have a failed attempt of its number."""
        ...

    def page(self, step: int, after_seq: int, limit: int) -> UnitPage:
        """Stored units with seq > `after_seq`, in order of seq."""
        ...

    def match(self, step: int, keys: Sequence[str]) -> dict[str, UnitRecord]:
        """Stored units by key (indexing keys when first asked). Values and results are not read."""
        ...

    def next_seq(self, step: int) -> int: ...

    def reading(self, step: int) -> int:
        """Begin a new reading of the step's source; units recorded or moved from now on carry its number, which is returned."""
        ...

    def sweep(self, step: int, seen_below: int) -> int:
        """Mark as gone what the current reading did not have: units with seq >= `seen_below` that do not carry its number.

        A gone unit is `skipped` with note `gone:` and its former status, and has no position; a later move brings
        the former status back. Returns how many there were.
        """
        ...

    def reopen(self, step: int, seqs: Sequence[int] | None) -> int:
        """Give failed units (all, or these) fresh attempts: pending, `base` set to their attempts. How many there were."""
        ...

    # units: looking
    def count(self, step: int) -> Counts:
        """Counted from the rows, for the check of the sum."""
        ...

    def units(
        self,
        step: int,
        status: UnitStatus | Literal["in_doubt"] | None = None,
        start: int = 0,
        limit: int = 1000,
        key: str | None = None,
    ) -> list[UnitView]:
        """Units in the order of their positions, from the `start`-th of those that match on; recorded and in doubt ones."""
        ...

    def results(self, step: int, start: int, limit: int) -> list[str | None]:
        """JSON texts of results in the order of positions, None where there is none, from position `start` on."""
        ...

    def attempts(self, step: int, seq: int) -> list[AttemptRecord]: ...

    def logs(self, step: int, seq: int) -> list[LogRecord]: ...

    # watching
    def add_sample(self, run: str, sample: Sample) -> None: ...

    def samples(self, run: str) -> list[Sample]: ...

    def status_of(self, run: str) -> RunStatus | None: ...

    def step_status(self, step: int) -> StepStatus: ...


# ---------------------------------------------------------------- events


class EventSink(Protocol):
    """Takes events: a view, a log, a test. Called from several threads; must not raise."""

    def emit(self, event: Event) -> None: ...

    def close(self) -> None: ...


@dataclass(slots=True)
class Fanout:
    """One sink made of several."""

    sinks: list[EventSink] = field(default_factory=list)

    def emit(self, event: Event) -> None:
        for sink in self.sinks:
            sink.emit(event)

    def close(self) -> None:
        for sink in self.sinks:
            sink.close()
