"""The disk and the store on it: transactions that come late, fail, are executed and said to have failed, or are lost in a power cut.

What is committed outlives the process. `Store` is what one process has of it: it queues checkpoints like the real store,
for a writer that executes several of them in one transaction.
"""

from __future__ import annotations

import copy
from collections import deque
from collections.abc import Callable
from typing import Any

import fibers
from fibers import World

from batchwork.errors import StoreError
from batchwork.model import FINAL, Checkpoint, UnitRecord
from batchwork.ports import Committed
from batchwork.store.memory import MemoryStore
from batchwork.store.memory_step import MemoryStep

FAST_S = 1.0
"""What `durability: fast` may lose in a power cut, in seconds."""

CHANGES = frozenset(
    {"create_run", "update_run", "add_steps", "update_step", "reading", "sweep", "reopen", "clear", "add_sample"}
)


class Disk:
    """What is committed. A picture of it is kept for as long as a power cut may go back to it."""

    def __init__(self, clock: Any) -> None:
        self.store = MemoryStore(clock)
        self._pictures: deque[tuple[float, Any]] = deque()

    @property
    def steps(self) -> list[MemoryStep]:
        return self.store._steps

    def step(self, number: int) -> MemoryStep:
        return self.store._steps[number - 1]

    def remember(self, now: float) -> None:
        """The next transaction may be lost."""
        while self._pictures and self._pictures[0][0] < now - FAST_S:
            self._pictures.popleft()
        self._pictures.append((now, self._picture()))

    def _picture(self) -> Any:
        return dict(self.store._runs), [_copied(step) for step in self.store._steps]

    def let_go(self) -> None:
        """The process that held runs has died."""
        self.store._leases.clear()

    def cut(self, world: World) -> int:
        """The power fails: some of the last transactions were never on disk. How many these are."""
        if not self._pictures:
            return 0
        lost = world.random.randint(0, len(self._pictures))
        if lost:
            _, (runs, steps) = self._pictures[-lost]
            self.store._runs, self.store._steps = dict(runs), [_copied(step) for step in steps]
        self._pictures.clear()
        return lost


def _copied(step: MemoryStep) -> MemoryStep:
    twin = copy.copy(step)
    twin.units, twin.claims = dict(step.units), dict(step.claims)
    twin.attempts, twin.logs = dict(step.attempts), dict(step.logs)
    twin.handler_failures = dict(step.handler_failures)
    return twin


class StoreFaults:
    """What goes wrong with the store in one execution. `breaks_at`: the transaction that fails, `executed`: in truth it does not."""

    def __init__(self, breaks_at: int | None = None, executed: bool = False, latency_s: float = 0.002) -> None:
        self.breaks_at, self.executed, self.latency_s = breaks_at, executed, latency_s


class Store:
    """Implements ports.Store for one process."""

    def __init__(self, world: World, disk: Disk, faults: StoreFaults, keep_pictures: bool) -> None:
        self._world, self._disk, self._faults = world, disk, faults
        self._pictured = keep_pictures
        self._queue: deque[tuple[Checkpoint, Committed]] = deque()
        self._busy = False
        self._broken: StoreError | None = None
        self._transactions = 0

    def __getattr__(self, name: str) -> Any:
        if name in CHANGES:
            return lambda *args: self._change(name, args)
        found = getattr(self._disk.store, name)

        def read(*args: Any, **more: Any) -> Any:
            self._world.op(name)
            return found(*args, **more)

        return read

    def close(self) -> None:
        """Nothing is open."""

    # ------------------------------------------------------------ changes that are waited for

    def _change(self, name: str, args: tuple[Any, ...]) -> Any:
        self._world.op(name)
        self._check_locked()
        self._world.wait(lambda: not self._queue)
        if self._broken is not None:
            raise self._broken
        fails = self._next_fails()
        value = None
        if not fails or self._faults.executed:
            if self._pictured:
                self._disk.remember(self._world.now)
            value = getattr(self._disk.store, name)(*args)
        self._world.op(f"{name}, done")
        if fails:
            raise self._break()
        return value

    def _check_locked(self) -> None:
        if not self._disk.store._leases:
            self._world.violate("the run is written to without its lock")

    def _next_fails(self) -> bool:
        self._transactions += 1
        return self._transactions == self._faults.breaks_at

    def _break(self) -> StoreError:
        self._broken = StoreError("the disk is broken")
        self._world.say("the store breaks" + (", though the transaction is on disk" if self._faults.executed else ""))
        return self._broken

    # ------------------------------------------------------------ checkpoints

    def submit(self, checkpoint: Checkpoint, committed: Committed) -> None:
        self._world.op("submit")
        self._check_locked()
        self._world.say(f"checkpoint: {brief(checkpoint)}")
        self._queue.append((checkpoint, committed))
        if not self._busy:
            self._busy = True
            self._world.later(self._latency(), self._commit)

    def _latency(self) -> float:
        slow = 20 if self._world.random.random() < 0.05 else 1
        return self._faults.latency_s * slow * self._world.random.random()

    def _commit(self) -> None:
        """One transaction with some of what is queued."""
        world = self._world
        together = [self._queue[at] for at in range(world.random.randint(1, len(self._queue)))]
        world.op("commit")
        error = self._broken
        if error is None:
            fails = self._next_fails()
            if not fails or self._faults.executed:
                self._execute([checkpoint for checkpoint, _ in together])
            if fails:
                error = self._break()
        world.op("commit, done")
        for _ in together:
            self._queue.popleft()
        for _, committed in together:
            committed(error)
            world.op("committed")
        self._busy = bool(self._queue)
        if self._busy:
            world.later(self._latency(), self._commit)

    def _execute(self, checkpoints: list[Checkpoint]) -> None:
        if self._pictured:
            self._disk.remember(self._world.now)
        again = self._world.random.random() < 0.05  # said to have failed, and tried once more by the store itself
        for _ in range(1 + again):
            for checkpoint in checkpoints:
                self._guarded(self._disk.step(checkpoint.step), lambda step, it=checkpoint: step.execute(it))

    def _guarded(self, step: MemoryStep, change: Callable[[MemoryStep], None]) -> None:
        """No outcome on disk is changed by a checkpoint, whatever it says."""
        before = {seq: _outcome(unit) for seq, unit in step.units.items() if unit.status in FINAL}
        change(step)
        for seq, outcome in before.items():
            if _outcome(step.units[seq]) != outcome and step.units[seq].gone is None and before[seq][4] is None:
                self._world.violate(f"the outcome of unit {seq} was {outcome} and is {_outcome(step.units[seq])}")


def brief(checkpoint: Checkpoint) -> str:
    """What is in a checkpoint, for the story."""
    parts = [
        *(f"claim {claim.id} of {', '.join(claim.keys)}" for claim in checkpoint.claims),
        *(f"{', '.join(part.keys)} succeeded" for part in checkpoint.successes),
        *(f"{record.key} {record.status}" for record in checkpoint.records),
        *(f"{handled.seq} handled" for handled in checkpoint.handled),
    ]
    if checkpoint.ended:
        parts.append(f"claims {list(checkpoint.ended)} end")
    return "; ".join(parts) or "counts"


def _outcome(unit: UnitRecord) -> tuple[Any, ...]:
    return unit.status, unit.attempts, unit.result, unit.key, unit.gone


class SimClock:
    """Implements clock.Clock."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._runs = 0

    def now(self) -> float:
        return self._world.tick()

    def wall_ms(self) -> int:
        return 1_700_000_000_000 + round(self._world.now * 1000)

    def random(self) -> float:
        return self._world.random.random()

    def run_id(self) -> str:
        self._runs += 1
        return f"run-{self._runs}"

    def execution_id(self) -> str:
        return self.run_id()


__all__ = ["Disk", "SimClock", "Store", "StoreFaults", "fibers"]
