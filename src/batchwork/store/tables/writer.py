"""The one thread that writes to a store: a bounded queue of orders, executed in order, many in one transaction.

Checkpoints share transactions (group commit); any other change has one of its own. Where the store cannot be written,
the writer is broken: this and all later orders fail with the same StoreError.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from typing import TypeAlias, TypeVar, assert_never

from msgspec import Struct

from batchwork.errors import StoreError
from batchwork.model import Checkpoint
from batchwork.ports import Committed
from batchwork.store.tables.orders import ChangeOrder, CheckpointOrder, Order, Transactions
from batchwork.store.tables.session import Session

QUEUE_MAX = 64

T = TypeVar("T")


class Working(Struct, frozen=True):
    """Orders are taken and executed."""


class Broken(Struct, frozen=True):
    """Orders are taken, and fail."""

    error: StoreError


class Closing(Struct, frozen=True):
    """Orders are taken from the writer's own thread only. What is queued is executed, or fails with the error."""

    error: StoreError | None


class Dead(Struct, frozen=True):
    """The thread is gone before its time, because a `committed` raised. No order is taken."""

    error: StoreError


Life: TypeAlias = Working | Broken | Closing | Dead


class Writer:
    """Takes orders from any thread. `name` is the store's, for people."""

    def __init__(self, name: str, transactions: Transactions) -> None:
        self._name = name
        self._transactions = transactions
        self._queue: deque[Order] = deque()
        self._taken: deque[Order] = deque()  # being written, and not yet answered
        self._changed = threading.Condition()
        self._life: Life = Working()
        self._thread: threading.Thread | None = None

    # ------------------------------------------------------------ from any thread

    def submit(self, checkpoint: Checkpoint, committed: Committed) -> None:
        """Queue a checkpoint; waits while the queue is full."""
        self._put(CheckpointOrder(checkpoint, committed))

    def call(self, change: Callable[[Session], T]) -> T:
        """Execute a change in its turn, in a transaction of its own, and return its value once that is on disk."""
        order = ChangeOrder(change)
        if threading.current_thread() is self._thread:  # from a `committed`: no transaction is open
            self._process(deque([order]))
        else:
            self._put(order)
        return order.value()

    def close(self) -> None:
        """Write what is queued, end the thread."""
        with self._changed:
            if isinstance(self._life, Closing):
                return
            self._life = Closing(self._error())
            self._changed.notify_all()
            thread = self._thread
        if thread is not None:
            thread.join()
        self._transactions.close()

    def _put(self, order: Order) -> None:
        with self._changed:
            if threading.current_thread() is not self._thread:
                while len(self._queue) >= QUEUE_MAX and isinstance(self._life, Working | Broken):
                    self._changed.wait()
                self._refuse_if_over()
            self._queue.append(order)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="store-writer", daemon=True)
                self._thread.start()
            self._changed.notify_all()

    def _refuse_if_over(self) -> None:
        match self._life:
            case Working() | Broken():
                pass
            case Closing():
                raise StoreError(f"the store {self._name} is closed")
            case Dead():
                raise self._life.error
            case _:
                assert_never(self._life)

    def _error(self) -> StoreError | None:
        """What all orders fail with, if they do."""
        match self._life:
            case Working():
                return None
            case Broken() | Closing() | Dead():
                return self._life.error
            case _:
                assert_never(self._life)

    # ------------------------------------------------------------ the thread

    def _run(self) -> None:
        try:
            self._loop()
        except BaseException as error:  # a `committed` raised: nobody may wait for ever for what follows
            self._abandon(error)
            raise

    def _loop(self) -> None:
        while self._take():
            if self._taken:
                self._process(self._taken)
            self._transactions.look_after()

    def _take(self) -> bool:
        """Wait for orders and take them, or none when it is time to look after the store. False at the end."""
        with self._changed:
            while not self._queue and not isinstance(self._life, Closing):
                if not self._changed.wait(self._transactions.due_in()):
                    return True
            if not self._queue:
                return False
            self._take_together()
            self._changed.notify_all()
        return True

    def _take_together(self) -> None:
        """All checkpoints at the head of the queue, or the one change that stands there."""
        self._taken.append(self._queue.popleft())
        if isinstance(self._taken[0], ChangeOrder):
            return
        while self._queue and isinstance(self._queue[0], CheckpointOrder):
            self._taken.append(self._queue.popleft())

    def _process(self, orders: deque[Order]) -> None:
        error = self._error() or self._commit(orders)
        while orders:
            orders.popleft().answer(error)

    def _commit(self, orders: deque[Order]) -> Exception | None:
        try:
            return self._transactions.commit(orders)
        except StoreError as error:
            self._break(error)
            return error

    def _break(self, error: StoreError) -> None:
        with self._changed:
            match self._life:
                case Closing():
                    self._life = Closing(error)
                case Working() | Broken() | Dead():
                    self._life = Broken(error)
                case _:
                    assert_never(self._life)

    def _abandon(self, error: BaseException) -> None:
        with self._changed:
            broken = self._error() or StoreError(f"the writer of the store {self._name} has ended: {error!r}")
            if not isinstance(self._life, Closing):
                self._life = Dead(broken)
            left = [*self._taken, *self._queue]
            self._queue.clear()
            self._changed.notify_all()
        for order in left:
            order.answer(broken)
