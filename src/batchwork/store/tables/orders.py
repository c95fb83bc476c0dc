"""Orders to a store, and who executes them: many in one transaction, tried again where that may help. Nothing is executed here."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any, Generic, Protocol, TypeAlias, TypeVar

from msgspec import Struct, field

from batchwork.model import Checkpoint
from batchwork.ports import Committed
from batchwork.store.tables.recording import record_checkpoint
from batchwork.store.tables.session import Session

T = TypeVar("T")


class CheckpointOrder(Struct):
    """An order to execute a checkpoint."""

    checkpoint: Checkpoint
    committed: Committed

    @property
    def claims(self) -> bool:
        return bool(self.checkpoint.claims)

    @property
    def outcomes(self) -> bool:
        return bool(self.checkpoint.successes or self.checkpoint.records)

    def execute(self, session: Session) -> None:
        record_checkpoint(session, self.checkpoint)

    def answer(self, error: Exception | None) -> None:
        self.committed(error)


class ChangeOrder(Struct, Generic[T]):
    """An order for any other change: a function of the session, and where its caller waits for what it returns."""

    change: Callable[[Session], T]
    ready: threading.Event = field(default_factory=threading.Event)
    values: list[T] = field(default_factory=list)
    error: Exception | None = None
    claims: bool = False
    outcomes: bool = False

    def execute(self, session: Session) -> None:
        value = self.change(session)
        if not self.values:  # what the first execution found is the answer, even if it is executed again
            self.values.append(value)

    def answer(self, error: Exception | None) -> None:
        self.error = error
        self.ready.set()

    def value(self) -> T:
        """What the change returned, once that is on disk. Raises what it was refused for."""
        self.ready.wait()
        if self.error is not None:
            raise self.error
        return self.values[0]


Order: TypeAlias = CheckpointOrder | ChangeOrder[Any]


class Transactions(Protocol):
    """Owns the connection that writes."""

    def commit(self, orders: Sequence[Order]) -> Exception | None:
        """Execute orders in one transaction: None when they are on disk, or what the one change was refused for.

        Raises StoreError where the store cannot be written, now and later.
        """
        ...

    def look_after(self) -> None:
        """Called after each commit, when that has been reported, and whenever that is due."""
        ...

    def due_in(self) -> float | None:
        """Seconds after which `look_after` may have something to do; None where only commits give it some."""
        ...

    def close(self) -> None: ...
