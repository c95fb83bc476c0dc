"""A step's source as a stream of units with keys; the one unit of a step without items. Nothing is stored here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from typing import TYPE_CHECKING, Protocol

from batchwork.engine.unit.brief import StepBrief
from batchwork.model import UnitRecord, Units

if TYPE_CHECKING:
    from batchwork.items.keys.guard import Known


class Stream(Protocol):
    """Units of one reading, numbered by position. `known` says which keys of this reading are recorded (for duplicates)."""

    known: Known
    views: bool
    """Units come with their batch."""

    @property
    def items(self) -> int | None:
        """How many items there are, None while that is not known."""
        ...

    @property
    def length(self) -> int | None:
        """How many units there are, None while that is not known."""
        ...

    def units(self) -> Iterator[Units | None]:
        """The units; None where there is nothing for now (`wake` is called when there is). Raises SourceError."""
        ...

    def skipped(self) -> list[UnitRecord]:
        """Records of the duplicates that were skipped since the last call."""
        ...

    def release(self, keys: Sequence[str]) -> None:
        """These units are recorded; their keys need not be held."""
        ...

    def close(self) -> None:
        """End the source."""
        ...


class SingleStream:
    """The one unit of a step without items."""

    items = None
    length = 1
    views = False

    def __init__(self) -> None:
        self.known: Known = nothing_recorded

    def units(self) -> Iterator[Units | None]:
        yield Units([0], [0], [""], [None])

    def skipped(self) -> list[UnitRecord]:
        return []

    def release(self, keys: Sequence[str]) -> None:
        """Nothing is held."""

    def close(self) -> None:
        """Nothing is open."""


def open_stream(order: StepBrief, uses_batch: bool, wake: Callable[[], None]) -> Stream:
    """The units of a step. Raises SourceError."""
    batch = order.plan.batch
    if batch is None:
        return SingleStream()
    from batchwork.engine.feed.item_stream import ItemStream

    return ItemStream(order, batch, uses_batch, wake)


def nothing_recorded(_keys: Sequence[str]) -> Collection[str]:
    """No key of this reading is recorded."""
    return ()
