"""Leases on runs: a row for each, with an end by the clock of the database that is put off as long as its owner lives.

An owner that is late finds that its number (epoch) is not the run's any more: the first statement of each of its
transactions is refused then. So a lease needs no two clocks that agree, and no connection that lasts.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Final

from msgspec import Struct

from batchwork.clock import Clock
from batchwork.errors import BatchworkError, RunLocked, StoreError
from batchwork.store.postgres.owning.notes import Notes
from batchwork.store.postgres.owning.owner import given_up, is_dead, spoken, this_process
from batchwork.store.postgres.server.pool import Pool
from batchwork.store.postgres.session import PostgresSession
from batchwork.store.tables.rows import checked_run_id, integer_in, text_in
from batchwork.store.tables.session import Session

LEASE_S: Final = 30.0
RENEW_S: Final = 5.0


class Held(Struct):
    """A run that is ours. `epoch` counts its owners, `commits` the transactions that are known to have written to it."""

    run: str
    owner: str
    epoch: int
    commits: int
    lost: bool = False


class RunLease:
    """Implements ports.Lease."""

    def __init__(self, give_up: Callable[[], None]) -> None:
        self._give_up = give_up

    def release(self) -> None:
        """Give the run up. The second time does nothing."""
        give_up, self._give_up = self._give_up, lambda: None
        give_up()


class Leases:
    """The leases of one store, and the thread that renews them."""

    def __init__(self, pool: Pool, notes: Notes, clock: Clock, warn: Callable[[str], None]) -> None:
        self._pool, self._notes, self._clock, self._warn = pool, notes, clock, warn
        self._held: dict[str, Held] = {}
        self._over = threading.Event()
        self._thread: threading.Thread | None = None

    def held(self) -> list[Held]:
        """Those that are ours now."""
        return [*self._held.values()]

    def take(self, run: str) -> RunLease:
        """Own a run. Raises RunLocked naming the owner, StoreError where the store has lost what it had of the run."""
        checked_run_id(run)
        owner = this_process(self._clock)
        try:
            epoch, commits = self._pool.transact("write", lambda session: _take(session, run, owner))
        except BatchworkError:
            given_up(owner)
            raise
        held = Held(run, owner, epoch, commits)
        try:
            self._notes.compare(run, commits)
        except StoreError:
            self._end(held)
            raise
        self._held[run] = held
        if self._thread is None:
            self._thread = threading.Thread(target=self._keep, name="store-lease", daemon=True)
            self._thread.start()
        return RunLease(lambda: self._release(held))

    def close(self) -> None:
        """Give all up."""
        self._over.set()
        if self._thread is not None:
            self._thread.join()
        for held in self.held():
            self._release(held)

    def _release(self, held: Held) -> None:
        if self._held.get(held.run) is held:
            del self._held[held.run]
            self._end(held)

    def _end(self, held: Held) -> None:
        def end(session: PostgresSession) -> None:
            session.run("lease_end", (held.run, held.owner, held.epoch))
            session.run("lease_clear", (held.run,))

        given_up(held.owner)
        with suppress(StoreError):  # then its time runs out
            self._pool.transact("write", end, patient=False)

    def _keep(self) -> None:
        while not self._over.wait(RENEW_S):
            for held in self.held():
                with suppress(StoreError):  # the writer says so if the server stays away
                    self._renew(held)

    def _renew(self, held: Held) -> None:
        cells = (held.run, held.owner, held.epoch, LEASE_S)
        if held.lost or self._held.get(held.run) is not held:
            return
        held.lost = not self._pool.transact(
            "write", lambda session: session.changed("lease_renew", cells), patient=False
        )
        if held.lost:  # what it writes is refused
            self._warn(f"run {held.run} is not ours any more: another process has taken it over")


def _take(session: PostgresSession, run: str, owner: str) -> tuple[int, int]:
    """The epoch and the number of transactions so far. Raises RunLocked."""
    row = session.row("lease_owner", (run,))
    before, left_s = ("", 0.0) if row is None else (text_in(row[0]), float(row[1] or 0))
    gone = before if before == owner or is_dead(before) else ""
    epoch = session.value("lease_take", (run, owner, LEASE_S, gone))
    if epoch is None:
        raise RunLocked(
            f"run {run} is being worked on by {spoken(before)}",
            f"wait for it, or look at it with `batchwork status {run}`; if its machine is gone, "
            f"the run can be taken over in {max(1, round(left_s))} s",
        )
    session.run("mark_free", (run,))
    return integer_in(epoch), integer_in(session.value("mark_take", (run, epoch)))


def living(session: Session, runs: Sequence[str]) -> Collection[str]:
    """Those of some runs that a process works on."""
    rows = session.rows("leases", (session.among(runs),)) if runs else []
    return {text_in(run) for run, owner in rows if not is_dead(text_in(owner))}
