"""The words of batchwork as values: units, calls, outcomes, claims, checkpoints, counts, records. No behaviour but their rules.

Units travel in columns, not as objects: a million of them must cost C loops, not Python ones. A *unit* is what is run,
succeeds, fails and is retried: an item, or the batch with `each: batch`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from enum import StrEnum
from typing import Any, Final, Literal, TypeAlias

from msgspec import Struct, field
from msgspec.structs import replace

from batchwork.step_notes import StepNote
from batchwork.text.jsontext import Json
from batchwork.text.jsontexts import picked

FileFormat: TypeAlias = Literal["jsonl", "csv", "parquet", "json"]
"""What a table of results is written as."""


class UnitStatus(StrEnum):
    """State of one unit as stored. A claimed unit has no state of its own: it stands in a Claim."""

    PENDING = "pending"
    INTERRUPTED = "interrupted"  # stopped by the second Ctrl-C; counts as pending
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"  # duplicate with `on_duplicate: skip`, or gone from the source


FINAL = frozenset({UnitStatus.SUCCEEDED, UnitStatus.FAILED, UnitStatus.SKIPPED})


class UnitNote(StrEnum):
    """What else is to be known of a unit, in a word."""

    DUPLICATE = "duplicate"  # skipped: an item before it has the same key
    IN_DOUBT = "in doubt"  # claimed when a process died; if that was its first attempt, its value is not stored
    MASKED = "masked"  # has not succeeded, and its value is stored without the secret that stands in it
    BAD_ROW = "bad row"  # cannot be read: the value is the text that stands in its place
    CLAIMED = "claimed"  # known from a claim alone; never stored


class StepStatus(StrEnum):
    PENDING = "pending"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    SKIPPED = "skipped"


class RunStatus(StrEnum):
    RUNNING = "running"  # "crashed" when it has no living owner
    SUCCEEDED = "succeeded"
    PARTIAL = "partial"  # finished, with failures that the workflow tolerates
    FAILED = "failed"
    INTERRUPTED = "interrupted"


class Units(Struct, frozen=True):
    """Some units, column by column; all columns have the same length.

    `seqs` are the store's immutable numbers within the step, `indexes` the positions in the latest reading, both from 0.
    With `each: batch` a value is the list of the members' values, `members` are their keys. `batches`: where it is used.
    """

    seqs: Sequence[int]
    indexes: Sequence[int]
    keys: Sequence[str]
    values: Sequence[Json]
    members: Sequence[Sequence[str]] | None = None
    batches: Sequence[BatchView] | None = None

    def __len__(self) -> int:
        return len(self.seqs)

    def cut(self, start: int, stop: int) -> Units:
        """The units from `start` up to `stop`."""
        return self._part(lambda column: column[start:stop])

    def pick(self, offsets: Sequence[int]) -> Units:
        """The units at `offsets`."""
        return self._part(lambda column: picked(column, offsets))

    def _part(self, part: Callable[[Sequence[Any]], Sequence[Any]]) -> Units:
        members, batches = self.members and part(self.members), self.batches and part(self.batches)
        return Units(part(self.seqs), part(self.indexes), part(self.keys), part(self.values), members, batches)


class BatchView(Struct, frozen=True):
    """What `batch` is in templates and code. `total` is the number of items, None while it is unknown.

    `item` is the unit's, and put there when a unit is bound: until then all units of a batch share one view.
    """

    index: int
    items: Sequence[Json]
    total: int | None
    item: Json = None

    @property
    def size(self) -> int:
        return len(self.items)


class Call(Struct, frozen=True):
    """An order to a worker: run these units, this attempt, with these bound values (JSON data, one for each unit).

    `id` is unique within a process's execution of a step and is the number of the claim that covers the call. At the failure
    `ends_after` it ends, and what has not started is returned; with `forgives` those that may be tried again do not count.
    """

    id: int
    attempt: int
    units: Units
    payloads: Sequence[Json]
    ends_after: int | None = None
    forgives: bool = False


BAD_ROW: Final = "bad row"
"""The type of the failure of a row that cannot be read."""


class Failure(Struct, frozen=True):
    """Why an attempt failed. `type` is an exception's name, or exit · signal · timeout · worker died · poison · in doubt · template · refused · bad row · option-like value · result · http · connect · spawn · source."""

    type: str
    message: str
    traceback: str = ""
    exit_code: int | None = None
    status_code: int | None = None
    retry_after_s: float | None = None
    retryable: bool = True  # False: not retried unless `retry.on` names its type or code
    result: str | None = None  # JSON text of what there was of a result (a failed command's output)
    kinds: Sequence[str] = ()  # names that were asked about and that an exception goes by too; not stored


class Report(Struct, frozen=True):
    """What a worker did with (a part of) one call; offsets are positions in the call, each reported exactly once.

    `results` are JSON texts and `durations_us` microseconds, one for each of `done`. `failures` have theirs. `cancelled`
    used no attempt; `returned` never started; `lost` may have run or not; `adrift` too, but was not what its lost worker was at.
    `recorded` is called once all is on disk. `setup` is what was printed while the worker was prepared, with its first report, or by nobody knows which unit.
    """

    call: int
    done: Sequence[int] = ()
    results: Sequence[str] = ()
    durations_us: Sequence[int] = ()
    failures: Sequence[tuple[int, Failure, int]] = ()
    cancelled: Sequence[int] = ()
    returned: Sequence[int] = ()
    lost: Sequence[int] = ()
    logs: Mapping[int, str] = field(default_factory=dict)
    worker: str = ""
    recorded: Callable[[], None] | None = None
    setup: str = ""
    adrift: Sequence[int] = ()

    @property
    def count(self) -> int:
        return sum(map(len, (self.done, self.failures, self.cancelled, self.returned, self.lost, self.adrift)))


class Claim(Struct, frozen=True):
    """Units that are about to be started: one row for a call. `attempt` counts from 1; `offsets` are the places of units in it.

    `members` are the keys of each unit's items, where units are batches: what came of a batch may be known before it has a row.
    """

    id: int
    attempt: int
    seqs: Sequence[int]
    keys: Sequence[str]
    offsets: Sequence[int] = ()
    members: Sequence[Sequence[str]] | None = None

    def part(self, chosen: Sequence[int]) -> Claim:
        """The claim with some of its units, by their places in `seqs`; these are their offsets, if it has none."""
        return Claim(
            self.id,
            self.attempt,
            [self.seqs[at] for at in chosen],
            [self.keys[at] for at in chosen],
            [self.offsets[at] for at in chosen] if self.offsets else chosen,
            self.members and [self.members[at] for at in chosen],
        )


class Successes(Struct, frozen=True):
    """Units that succeeded in one call, column by column. `values` is JSON text, or None where the key is the value."""

    attempt: int
    started_ms: int
    worker: str
    seqs: Sequence[int]
    indexes: Sequence[int]
    keys: Sequence[str]
    values: Sequence[str | None]
    results: Sequence[str]
    durations_us: Sequence[int]
    members: Sequence[str | None] | None = None  # JSON lists of the members' keys, with `each: batch`


class UnitRecord(Struct, frozen=True):
    """One unit as the store keeps it, for whatever is not a success on a busy path. None means "leave as it is"."""

    seq: int
    index: int | None
    key: str
    status: UnitStatus
    attempts: int
    value: str | None = None
    members: str | None = None
    result: str | None = None
    failure: Failure | None = None
    duration_us: int = 0
    started_ms: int = 0
    worker: str = ""
    base: int = 0  # attempts made before the unit was last given fresh ones
    doubts: int = 0  # times that it was claimed when a process died
    note: UnitNote | None = None
    gone: UnitStatus | None = None  # the status it had before the source lost it; read, and written by Store.sweep
    reading: int = 0  # the reading of the source that had it last (see Store.reading); read by `match`, never written
    due_ms: int = 0  # pending: not before this time (wall clock)
    handled: bool = True  # False: failed, and `on_item_error` has not run for it yet


class AttemptRecord(Struct, frozen=True):
    """One failed attempt."""

    seq: int
    attempt: int
    failure: Failure
    started_ms: int
    duration_us: int
    worker: str = ""


class Handled(Struct, frozen=True):
    """`on_item_error` ran for a failed unit; `failure` is its own failure, if it had one."""

    seq: int
    failure: Failure | None = None


class LogRecord(Struct, frozen=True):
    """What one attempt printed, already masked and cut to size."""

    seq: int
    attempt: int
    text: str


class RunningUnit(Struct, frozen=True):
    """A unit that has been running for a while. What it has printed so far is cut to its tail."""

    seq: int
    index: int
    key: str
    attempt: int
    started_ms: int
    worker: str
    stdout: str = ""
    stderr: str = ""


class Counts(Struct, frozen=True):
    """How many units of a step are in which state. `total` is None until the source has been read to its end.

    `in_doubt` and `pending` are disjoint; claimed, running and interrupted units are pending while their process lives.
    """

    total: int | None = None
    succeeded: int = 0
    failed: int = 0
    skipped: int = 0
    in_doubt: int = 0
    running: int = 0

    @property
    def finished(self) -> int:
        return self.succeeded + self.failed + self.skipped

    @property
    def pending(self) -> int | None:
        """What is left, or None while the total is unknown."""
        return None if self.total is None else self.total - self.finished - self.in_doubt

    def add(self, succeeded: int = 0, failed: int = 0, skipped: int = 0) -> Counts:
        return replace(
            self, succeeded=self.succeeded + succeeded, failed=self.failed + failed, skipped=self.skipped + skipped
        )


class Checkpoint(Struct, frozen=True):
    """What one step commits in one transaction, in the order of the fields. Executed twice, it changes nothing more."""

    step: int
    claims: Sequence[Claim] = ()
    successes: Sequence[Successes] = ()
    records: Sequence[UnitRecord] = ()
    attempts: Sequence[AttemptRecord] = ()
    logs: Sequence[LogRecord] = ()
    handled: Sequence[Handled] = ()
    ended: Sequence[int] = ()  # claims all of whose units are settled or given back
    values: Sequence[tuple[int, str | None, str | None]] = ()  # (seq, value, members) of units recorded without
    moves: Sequence[tuple[int, int]] = ()  # (seq, index) of known units whose position changed
    running: Sequence[RunningUnit] | None = None  # replace what is known to be running
    counts: Counts | None = None  # replace the step's counters


class RunRecord(Struct, frozen=True):
    """A run as the store keeps it. `params` is JSON text with secrets masked; `workflow` the text as it was read."""

    id: str
    name: str
    file: str
    workflow: str
    params: str
    fingerprint: str  # JSON text: {step: what is done}, for the difference that a refused resume shows
    status: RunStatus
    created_ms: int
    ended_ms: int | None = None
    durability: str = "full"
    window: str = ""  # the redo window as `status` prints it
    options: str = "{}"  # JSON text of what the command line changed (max_parallel …)
    living: bool = False  # whether a process works on it; read, never written


class StepRecord(Struct, frozen=True):
    """A step as the store keeps it. `number` is the store's number for it, unique in the store."""

    number: int
    run: str
    name: str
    order: int
    status: StepStatus
    counts: Counts
    batch: bool = False  # whether it has items
    result: str | None = None  # JSON text, of a step without items; else of its aggregates
    failure: Failure | None = None
    started_ms: int | None = None
    duration_ms: int = 0
    stale: bool = False  # an earlier step was retried after this one finished
    note: StepNote | None = None
