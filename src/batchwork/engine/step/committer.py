"""What is committed of a step: what waits for its commit, what the store's writer has, what is on disk; and the counts."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from typing import NamedTuple

from msgspec.structs import replace

from batchwork.clock import Clock
from batchwork.engine.step.checkpoint_draft import Draft
from batchwork.engine.step.step_failure import unrecorded
from batchwork.model import Counts
from batchwork.ports import Store

COMMIT_AFTER_S = 0.05
COMMIT_ROWS = 4_000
CHECKPOINTS_MOST = 4
"""Checkpoints under way at once: the disk is waited for in the background, but not without end."""


class _Committed(NamedTuple):
    draft: Draft
    counts: Counts
    receipts: list[Callable[[], None]]
    error: Exception | None


class Committer:
    """Belongs to the coordinator's thread; `wake` is called, from the writer's, when something has come to disk."""

    def __init__(self, step: int, store: Store, clock: Clock, wake: Callable[[], None]) -> None:
        self.draft = Draft(step)
        self.counts = Counts()
        self._store, self._clock, self._wake = store, clock, wake
        self._receipts: list[Callable[[], None]] = []
        self._under_way = 0
        self._committed: deque[_Committed] = deque()  # filled by the writer's thread

    @property
    def full(self) -> bool:
        """Whether the disk is behind: then nothing more is claimed."""
        return self._under_way >= CHECKPOINTS_MOST

    @property
    def idle(self) -> bool:
        """Whether all is on disk, and has been seen to be."""
        return self.draft.empty and not self._under_way and not self._committed

    def owe(self, recorded: Callable[[], None]) -> None:
        """Have this called once the draft is on disk. It is committed for that alone, too: a worker may wait for it."""
        self._receipts.append(recorded)
        self.draft.touch(self._clock.now(), 0)

    def commit(self, waiting: bool, running: int = 0) -> None:
        """Hand the draft to the writer, if it is time: claims wait for it, rows have waited long enough, or nothing else is `waiting`.

        `running` is how many units are, for those who look.
        """
        draft, counts = self.draft, self.counts
        if draft.since is None or self.full:
            return
        due = self._clock.now() - draft.since >= COMMIT_AFTER_S
        if not (draft.rows.claims or due or draft.urgent or draft.count >= COMMIT_ROWS or not waiting):
            return
        receipts, self._receipts = self._receipts, []
        self.draft = Draft(draft.step)
        self._under_way += 1

        def committed(error: Exception | None) -> None:
            self._committed.append(_Committed(draft, counts, receipts, error))
            self._wake()

        self._store.submit(draft.checkpoint(replace(counts, running=running)), committed)

    def on_disk(self) -> Iterator[tuple[Draft, Counts]]:
        """What has come to disk since the last call, with the counts after it. Raises StoreError, saying what it costs."""
        while self._committed:
            draft, counts, receipts, error = self._committed.popleft()
            self._under_way -= 1
            if error is not None:
                raise unrecorded([draft, self.draft, *(lost.draft for lost in self._committed)], error)
            for recorded in receipts:
                recorded()
            yield draft, counts

    def due_s(self) -> float | None:
        """Seconds until there is something to do here; None where nothing waits."""
        if self._committed:
            return 0.0
        if self.draft.since is None or self.full:
            return None
        return max(0.0, self.draft.since + COMMIT_AFTER_S - self._clock.now())
