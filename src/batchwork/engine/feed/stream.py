"""A step's source as a stream of units with keys, as the plan says: opened, keyed, duplicates told apart, grouped. Nothing is stored here."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from queue import Empty, SimpleQueue
from threading import Semaphore, Thread
from typing import Any

from batchwork.engine.unit.brief import StepBrief
from batchwork.engine.unit.stored_value import value_texts
from batchwork.errors import Place, RenderError, SourceError
from batchwork.items.fields import open_source
from batchwork.items.grouping import Grouping, Keyed, keyed
from batchwork.items.keys import KeyGuard, default_keys
from batchwork.items.literal import open_value
from batchwork.model import UnitNote, UnitRecord, Units, UnitStatus
from batchwork.plan.each import unclear_each
from batchwork.plan.model import BatchPlan, ItemsPlan
from batchwork.ports import ItemSource
from batchwork.text.jsontext import Json, encode

PAGE = 5_000
READ_AHEAD = 4
"""Pages of a source that may block which are read and not yet taken, the one being read and the one being taken included."""
CLOSING_S = 1.0

Known = Callable[[Sequence[str]], Collection[str]]


def _none(_keys: Sequence[str]) -> Collection[str]:
    return ()


class Stream:
    """Units of one reading, numbered by position. `known` says which keys of this reading are recorded (for duplicates)."""

    def __init__(self, order: StepBrief, batch: BatchPlan, uses_batch: bool, wake: Callable[[], None]) -> None:
        self._order, self._batch, self.views = order, batch, uses_batch
        self.known: Known = _none
        self._skipped: list[UnitRecord] = []
        self._source = open_items(batch.items, order)
        self._reading = self._source.reading()
        self._guard: KeyGuard | None = None
        if batch.key is not None or not self._reading.distinct:
            # Members of batches cannot be found in the store by their keys, so there the guard remembers by itself.
            self._guard = KeyGuard(batch.on_duplicate, self._recorded if batch.each == "item" else None)
        self.items = self._reading.length
        self.length = self._units_in(self.items)
        """Units, None while their number is not known."""
        self._ahead = _Ahead(self._pages(), self._pages_ahead(), wake) if self._source.may_block else None

    def units(self) -> Iterator[Units | None]:
        """The units; None where there is nothing for now (`wake` is called when there is)."""
        grouping = Grouping(self._batch.each, self._batch.batch_size, views=self.views, total=self.items)
        position = 0
        for page in self._available():
            if page is None:
                yield None
                continue
            if self._batch.each_inferred is not None:
                _check_each(page, position, self._batch.each_inferred)
            for part in keyed(iter((page,)), position, self._keys, self._guard):
                kept = part
                if self._batch.on_duplicate == "skip" and part.repeated:
                    self._skip(part)
                    kept = part.without(part.repeated)
                yield from self._grouped(grouping.add(kept))
            position += len(page)
        yield from self._grouped(grouping.end())

    def skipped(self) -> list[UnitRecord]:
        """Records of the duplicates that were skipped since the last call."""
        skipped, self._skipped = self._skipped, []
        return skipped

    def release(self, keys: Sequence[str]) -> None:
        """These units are recorded; the guard need not hold their keys."""
        if self._guard is not None and self._batch.each == "item":
            self._guard.release(keys)

    def close(self) -> None:
        """End the source, and the thread that reads ahead."""
        self._source.close()
        if self._ahead is not None:
            self._ahead.close()

    # ------------------------------------------------------------

    def _units_in(self, items: int | None) -> int | None:
        if items is None or self._batch.each == "item":
            return items
        if self._batch.on_duplicate == "skip" and self._guard is not None:
            return None  # what is skipped is not known beforehand, and leaves fewer batches
        return -(-items // self._batch.batch_size)

    def _recorded(self, keys: Sequence[str]) -> Collection[str]:
        return self.known(keys)

    def _pages(self) -> Iterator[Sequence[Json]]:
        return self._source.pages(0, self._page_size())

    def _page_size(self) -> int:
        """With a cap, at most half of it, so that one half can be read while the other one is taken."""
        cap = self._cap()
        return PAGE if cap is None else max(1, min(PAGE, cap // 2))

    def _pages_ahead(self) -> int:
        cap = self._cap()
        return READ_AHEAD if cap is None else min(READ_AHEAD, cap // self._page_size())

    def _cap(self) -> int | None:
        """Items that may have been read and not yet taken."""
        batch = self._batch
        return None if batch.queue_size is None else batch.queue_size * batch.batch_size

    def _available(self) -> Iterator[Sequence[Json] | None]:
        return iter(self._pages()) if self._ahead is None else self._ahead.pages()

    def _grouped(self, units: Units) -> Iterator[Units]:
        if not len(units):
            return
        if units.members is None and units.seqs[0] != units.indexes[0]:
            units = Units(units.indexes, units.indexes, units.keys, units.values, None, units.batches)
        elif self._guard is not None and units.members is None:
            units = Units(list(units.indexes), units.indexes, units.keys, units.values, None, units.batches)
        yield units

    def _keys(self, values: Sequence[Json], position: int) -> Sequence[str]:
        template = self._batch.key
        if template is None:
            keys: Sequence[str] = default_keys(values, position)
        elif isinstance(template, str):
            keys = [template] * len(values)
        else:
            keys = [self._written_key(value, position + offset) for offset, value in enumerate(values)]
        return self._order.censor.keys(keys)

    def _written_key(self, value: Json, index: int) -> str:
        template = self._batch.key
        assert template is not None
        assert not isinstance(template, str)
        scope = {**self._order.scope, "item": value, "index": index}
        if self._batch.arg_name is not None:
            scope[self._batch.arg_name] = value
        try:
            key = template.render(scope)
            return key if isinstance(key, str) else encode(key)
        except RenderError as error:
            raise SourceError(f"key of item {index} (from 0): {error.message}", error.hint) from error

    def _skip(self, part: Keyed) -> None:
        if self._batch.each == "batch":
            return  # the unit is the batch; what is left out of it is no unit
        for offset in part.repeated:
            index, key, value = part.indexes[offset], part.keys[offset], part.values[offset]
            text = value_texts(Units([index], [index], [key], [value]), True)[0]
            self._skipped.append(UnitRecord(index, index, key, UnitStatus.SKIPPED, 0, text, note=UnitNote.DUPLICATE))


class SingleStream(Stream):
    """The one unit of a step without items."""

    def __init__(self) -> None:
        self.known = _none
        self.length = 1

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
    return SingleStream() if batch is None else Stream(order, batch, uses_batch, wake)


def open_items(items: ItemsPlan, order: StepBrief) -> ItemSource:
    """The source of a batch step, its fields rendered. Raises SourceError."""
    environ = {**order.setting.environ, "BATCHWORK_COOKIE": order.cookie}
    try:
        if items.value is not None:
            return open_value(items.value.render(order.scope))
        fields: dict[str, Any] = {name: value.render(order.scope) for name, value in items.fields.items()}
        return open_source(items.source, fields, order.setting.cwd, environ)
    except RenderError as error:
        raise SourceError(f"items: {error.message}", error.hint) from error


def _check_each(page: Sequence[Json], position: int, place: Place) -> None:
    """Code that iterates over a list or a text may mean one item as well as the batch: that is not guessed."""
    for offset, value in enumerate(page):
        if isinstance(value, list | str):
            raise SourceError(*unclear_each(value, position + offset, place))


class _Ahead:
    """A thread that reads pages ahead, so that a slow source keeps nobody waiting. `most` pages are there at once."""

    def __init__(self, pages: Iterator[Sequence[Json]], most: int, wake: Callable[[], None]) -> None:
        self._pages, self._wake = pages, wake
        self._room = Semaphore(most)
        self._queue: SimpleQueue[Sequence[Json] | Exception | None] = SimpleQueue()
        self._closed = False
        self._thread = Thread(target=self._read, name="items", daemon=True)

    def pages(self) -> Iterator[Sequence[Json] | None]:
        """The pages, None where none has come yet. Raises what reading raised."""
        self._thread.start()
        while True:
            try:
                page = self._queue.get_nowait()
            except Empty:
                yield None
                continue
            if isinstance(page, Exception):
                raise page
            if page is None:
                return
            yield page
            self._room.release()

    def close(self) -> None:
        """Let the thread end. One that is stuck in a read that nothing ends (a silent pipe) is left to the process's end."""
        self._closed = True
        self._room.release()
        if self._thread.is_alive():
            self._thread.join(CLOSING_S)

    def _has_room(self) -> bool:
        self._room.acquire()
        return not self._closed

    def _read(self) -> None:
        end: Exception | None = None
        try:
            while self._has_room() and (page := next(self._pages, None)) is not None:
                self._queue.put(page)
                self._wake()
        except Exception as error:  # noqa: BLE001  # whatever it is, the coordinator must hear of it
            end = error
        self._queue.put(end)
        self._wake()
