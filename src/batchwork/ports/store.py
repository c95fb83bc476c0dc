"""The seam of the store: what it reads and writes, and Store. No store is here, see batchwork.store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, Protocol, TypeAlias

from msgspec import UNSET, Struct, UnsetType, field
from msgspec.structs import asdict

from batchwork.clock import Clock, SystemClock
from batchwork.model import (
    AttemptRecord,
    Checkpoint,
    Claim,
    Counts,
    Failure,
    LogRecord,
    RunningUnit,
    RunRecord,
    RunStatus,
    StepRecord,
    StepStatus,
    UnitRecord,
    UnitStatus,
)
from batchwork.step_notes import StepNote


def _unheard(text: str) -> None:
    """Where nobody listens, warnings about the store are dropped; errors never are."""


class UnitPage(Struct, frozen=True):
    """Units as stored, in columns, ordered by seq."""

    seqs: Sequence[int]
    keys: Sequence[str]
    indexes: Sequence[int | None]
    statuses: Sequence[str]
    attempts: Sequence[int]
    bases: Sequence[int]
    doubts: Sequence[int]
    dues: Sequence[int]
    all_final: bool = False


class Change(Struct, frozen=True):
    """Some fields of a record; what is UNSET stays as it is."""

    def fields(self) -> dict[str, object]:
        """What changes, by name."""
        return {name: value for name, value in asdict(self).items() if value is not UNSET}


class RunChange(Change, frozen=True):
    """What changes in a RunRecord."""

    status: RunStatus | UnsetType = UNSET
    ended_ms: int | UnsetType | None = UNSET
    window: str | UnsetType = UNSET
    fingerprint: str | UnsetType = UNSET
    workflow: str | UnsetType = UNSET
    options: str | UnsetType = UNSET


class StepChange(Change, frozen=True):
    """What changes in a StepRecord."""

    status: StepStatus | UnsetType = UNSET
    counts: Counts | UnsetType = UNSET
    result: str | UnsetType | None = UNSET
    failure: Failure | UnsetType | None = UNSET
    started_ms: int | UnsetType | None = UNSET
    duration_ms: int | UnsetType = UNSET
    stale: bool | UnsetType = UNSET
    note: StepNote | UnsetType | None = UNSET


ListedStatus: TypeAlias = UnitStatus | Literal["in_doubt", "running"]
"""By what a unit can be looked for: as it is stored, or by what its run says of it."""


def printed_so_far(unit: RunningUnit) -> list[LogRecord]:
    """The log of a running unit, one for each stream."""
    return [LogRecord(unit.seq, unit.attempt, text) for text in (unit.stdout, unit.stderr) if text]


class UnitView(Struct, frozen=True):
    """One unit with all that is known of it, as `items`, `errors` and `.failed` show it. `status` is a ListedStatus."""

    step: str
    record: UnitRecord
    status: str
    handler_failure: Failure | None = None


class Sample(Struct, frozen=True):
    """One sample of a run's use of the machine, its children included, and its speed since the last sample."""

    at_ms: int
    cpu_percent: float
    rss_bytes: int
    descriptors: int
    processes: int
    units_per_s: float
    p50_us: int
    p95_us: int
    p99_us: int


Committed: TypeAlias = Callable[[Exception | None], None]
"""Called once, on the writer's thread: with None when the checkpoint is on disk, else with the StoreError."""


Durability: TypeAlias = Literal["full", "fast"]
"""What a power cut may take: nothing, or the last second."""

Purpose: TypeAlias = Literal["run", "resume", "look"]
"""What a store is opened for. Only `run` makes one that is not there; `look` leaves an older one as it is."""


InDoubt: TypeAlias = Callable[[RunRecord, int, Sequence[Claim]], Sequence[Claim]]
"""Which units of a step's claims are in doubt, of a run that nobody works on."""


def _all_of_them(run: RunRecord, step: int, claims: Sequence[Claim]) -> Sequence[Claim]:
    return claims


class Opening(Struct, frozen=True):
    """How a store is opened. `warn` gets texts for people, from any thread; `patience_s`: how long a full disk is waited for.

    `in_doubt` narrows down what claims say to what was really running.
    """

    purpose: Purpose = "run"
    durability: Durability = "full"
    warn: Callable[[str], None] = _unheard
    clock: Clock = field(default_factory=SystemClock)
    patience_s: float = 30.0
    in_doubt: InDoubt = _all_of_them


class StorePlace(Protocol):
    """Where a store is, or will be. `state_dir`, absolute, is the folder for the logs and folders of its runs."""

    state_dir: str

    def exists(self) -> bool: ...

    def open(self, opening: Opening) -> Store:
        """The store, to be closed by the caller. Raises StoreError, StoreVersionError."""
        ...


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

    def update_run(self, run: str, change: RunChange) -> None: ...

    def run(self, run: str) -> RunRecord | None: ...

    def runs(self) -> list[RunRecord]:
        """Newest first."""
        ...

    def forget(self, run: str) -> None:
        """Remove all that is recorded of a run, in one transaction. Who calls it has leased the run."""
        ...

    def give_back(self) -> int:
        """Give the room of what was forgotten back to the disk; how many bytes. 0 where that is not worth it, or others are in the way."""
        ...

    # steps
    def steps(self, run: str) -> list[StepRecord]: ...

    def add_steps(self, run: str, steps: Sequence[tuple[str, bool]]) -> None:
        """Set the run's steps and their order anew (`resume --accept-changes`), adding those that are missing.

        Others are not among its steps any more; one that comes again later has all that it had.
        """
        ...

    def update_step(self, step: int, change: StepChange) -> None: ...

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

    def members(self, step: int, keys: Sequence[str]) -> dict[str, UnitRecord]:
        """Stored batches by the keys of their members, rather such that are not gone. Values and results are not read."""
        ...

    def values(self, step: int, seqs: Sequence[int]) -> list[str]:
        """JSON texts of the values of stored units, in the order of `seqs`; the key's text where the key is the value."""
        ...

    def next_seq(self, step: int) -> int: ...

    def reading(self, step: int) -> int:
        """Begin a new reading of the step's source; units recorded or moved from now on carry its number, which is returned."""
        ...

    def was_reread(self, step: int) -> bool:
        """Whether `reading` was called before: units may then stand anywhere, whatever their numbers."""
        ...

    def sweep(self, step: int, seen_below: int) -> int:
        """Mark as gone what the current reading did not have: units with seq >= `seen_below` that do not carry its number.

        A gone unit is `skipped`, keeps its former status in `gone`, and has no position; a later move brings
        the former status back. Returns how many there were.
        """
        ...

    def reopen(self, step: int, seqs: Sequence[int] | None) -> int:
        """Give failed units (all, or these) fresh attempts: pending, `base` set to their attempts. How many there were."""
        ...

    def clear(self, step: int) -> None:
        """Forget all units, claims, attempts and logs of a step, its counts, result and failure: it is pending again.

        For what runs anew: cleanup steps on a resume, later steps with `retry --downstream`.
        """
        ...

    # units: looking
    def count(self, step: int) -> Counts:
        """Counted from the rows, for the check of the sum."""
        ...

    def units(
        self,
        step: int,
        status: ListedStatus | None = None,
        start: int = 0,
        limit: int = 1000,
        key: str | None = None,
    ) -> list[UnitView]:
        """Units in the order of their positions, from the `start`-th of those that match on: recorded, in doubt and running ones."""
        ...

    def results(self, step: int, start: int, limit: int) -> list[str | None]:
        """JSON texts of results in the order of positions, from position `start` on; None where the unit has not succeeded.

        What a failed unit kept of a result is its own, see `units`.
        """
        ...

    def attempts(self, step: int, seq: int) -> list[AttemptRecord]: ...

    def logs(self, step: int, seq: int) -> list[LogRecord]:
        """What its attempts have printed; of one that is running what is known of it so far."""
        ...

    # watching
    def add_sample(self, run: str, sample: Sample) -> None: ...

    def samples(self, run: str) -> list[Sample]: ...
