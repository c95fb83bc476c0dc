"""What the contract of stores is tested with: records to write, waiting for a commit, a picture of all that is stored. No test is here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from batchwork.model import (
    Checkpoint,
    Failure,
    RunRecord,
    RunStatus,
    Successes,
    UnitRecord,
    UnitStatus,
)
from batchwork.ports import Store, UnitView

PENDING, FAILED, SKIPPED = UnitStatus.PENDING, UnitStatus.FAILED, UnitStatus.SKIPPED
SUCCEEDED, INTERRUPTED = UnitStatus.SUCCEEDED, UnitStatus.INTERRUPTED
BROKE = Failure("ValueError", "it broke\n\x00 'ü'", "Traceback …", retryable=False)
EXITED = Failure("exit", "exit code 3", exit_code=3, result='{"stdout":"x"}')


def run_record(run: str = "r1", created_ms: int = 1_000) -> RunRecord:
    return RunRecord(run, "name", "w.yaml", "steps: []", '{"a":1}', '{"s":{}}', RunStatus.RUNNING, created_ms)


def successes(seqs: Sequence[int], indexes: Sequence[int] | None = None, attempt: int = 1) -> Successes:
    """Units of these seqs with the key `k<seq>`, the value `"v<seq>"` and the result `<seq>`."""
    return Successes(
        attempt=attempt,
        started_ms=5_000,
        worker="w1",
        seqs=seqs,
        indexes=seqs if indexes is None else indexes,
        keys=[f"k{seq}" for seq in seqs],
        values=[f'"v{seq}"' for seq in seqs],
        results=[str(seq) for seq in seqs],
        durations_us=[10 + seq for seq in seqs],
    )


def unit(seq: int, status: UnitStatus, attempts: int = 1, failure: Failure | None = None, **more: object) -> UnitRecord:
    return UnitRecord(seq, seq, f"k{seq}", status, attempts, f'"v{seq}"', failure=failure, **more)  # type: ignore[arg-type]


def commit(store: Store, checkpoint: Checkpoint) -> None:
    """Submit and wait until it is on disk. Raises what was reported."""
    done, errors = threading.Event(), list[Exception | None]()

    def committed(error: Exception | None) -> None:
        errors.append(error)
        done.set()

    store.submit(checkpoint, committed)
    assert done.wait(60), "the checkpoint was never reported"
    if errors[0] is not None:
        raise errors[0]


def picture(store: Store, run: str) -> object:
    """All that can be read of a run, as values that can be compared."""
    steps = store.steps(run)
    return [
        (
            step,
            store.count(step.number),
            store.claims(step.number),
            store.next_seq(step.number),
            list(store.page(step.number, -1, 10_000).seqs),
            units := store.units(step.number, limit=10_000),
            store.results(step.number, 0, 10_000),
            [store.attempts(step.number, view.record.seq) for view in units],
            [store.logs(step.number, view.record.seq) for view in units],
        )
        for step in steps
    ]


def paged(store: Store, step: int, size: int) -> list[UnitView]:
    """All units of a step, read `size` at a time."""
    views: list[UnitView] = []
    while page := store.units(step, start=len(views), limit=size):
        views += page
    return views


def owned(store: Store) -> bool:
    run = store.run("r1")
    assert run is not None
    return run.living


def assert_raises(kind: type[Exception], act: Callable[[], object]) -> None:
    """That calling `act` raises `kind`."""
    try:
        act()
    except kind:
        return
    raise AssertionError(f"{kind.__name__} was not raised")


class StoreCase:
    """What each part of the contract starts from."""

    def store(self) -> Store:
        """A store without any run."""
        raise AssertionError("a subclass gives its store")

    @contextmanager
    def _open(self, batch: bool = True) -> Iterator[tuple[Store, int]]:
        """A store with the run r1, and the number of its step `s`."""
        store = self.store()
        try:
            store.create_run(run_record(), [("s", batch)])
            yield store, store.steps("r1")[0].number
        finally:
            store.close()
