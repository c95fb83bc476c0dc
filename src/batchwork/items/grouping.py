"""Pages of items as units: numbered, with their keys, one item or one batch each. Nothing is matched with the store here."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Literal, TypeAlias

from msgspec import Struct, structs

from batchwork.items.keys.guard import KeyGuard
from batchwork.model import BatchView, Units
from batchwork.ports import BadRow, Row
from batchwork.text.jsontext import Json, canonical
from batchwork.text.jsontexts import Texts, as_list, chained, picked

KeysOf: TypeAlias = Callable[[Sequence[Json], int], Sequence[str]]
"""(values, position of the first) → their keys."""


class Keyed(Struct, frozen=True):
    """Some items with their keys and positions. `repeated` are offsets of items whose key had been seen before."""

    indexes: Sequence[int]
    keys: Sequence[str]
    values: Sequence[Json]
    repeated: Sequence[int] = ()

    def without(self, offsets: Sequence[int]) -> Keyed:
        """All but the items at `offsets`."""
        left_out = {*offsets}
        kept = [offset for offset in range(len(self.keys)) if offset not in left_out]
        return self.pick(kept)

    def pick(self, offsets: Sequence[int]) -> Keyed:
        """The items at `offsets`."""
        return Keyed(
            [self.indexes[at] for at in offsets], [self.keys[at] for at in offsets], picked(self.values, offsets)
        )


def keyed(pages: Iterator[Sequence[Json]], position: int, keys_of: KeysOf, guard: KeyGuard | None) -> Iterator[Keyed]:
    """The pages with keys that are unique in this reading, the first item standing at `position`. Raises SourceError.

    Without a guard the keys must be known to be distinct.
    """
    for values in pages:
        keys = keys_of(values, position)
        checked = guard.check(keys, position) if guard is not None else None
        indexes = range(position, position + len(values))
        if checked is None:
            yield Keyed(indexes, keys, values)
        else:
            yield Keyed(indexes, checked.keys, values, checked.repeated)
        position += len(values)


NO_UNITS = Units((), (), (), ())


class Grouping:
    """Makes units of items as they come, `batch_size` consecutive ones being a batch.

    With `each` item a unit is an item; with `views` (the task uses `batch`) it is given out once its batch is complete.
    With `each` batch a unit is a batch: its value is the list of values, its key a hash of its members' keys, its index
    the number of the batch. `seq` and `batch` are the numbers of the next unit and batch; both may be set.
    """

    def __init__(
        self,
        each: Literal["item", "batch"],
        batch_size: int,
        *,
        views: bool = False,
        total: int | None = None,
        seq: int = 0,
    ) -> None:
        self._each, self._size, self._views = each, batch_size, views
        self.total = total
        self.seq = seq
        self.batch = 0
        self._rest = Keyed([], [], [])

    def add(self, items: Keyed) -> Units:
        """The units that are complete with these items."""
        if self._each == "item" and not self._views:
            return self._units(items, None)
        if self._rest.keys:
            items = _joined(self._rest, items)
        full = len(items.keys) - len(items.keys) % self._size
        self._rest = _cut(items, full, len(items.keys))
        return self._batches(_cut(items, 0, full))

    def end(self) -> Units:
        """The last units: the source has ended."""
        rest, self._rest = self._rest, Keyed([], [], [])
        return self._batches(rest)

    @property
    def waiting(self) -> int:
        """Items that wait for their batch to be complete."""
        return len(self._rest.keys)

    def _units(self, items: Keyed, views: Sequence[BatchView] | None) -> Units:
        count = len(items.keys)
        seqs = range(self.seq, self.seq + count)
        self.seq += count
        return Units(seqs, items.indexes, items.keys, items.values, None, views)

    def _batches(self, items: Keyed) -> Units:
        count = len(items.keys)
        if not count:
            return NO_UNITS
        groups = [items.values[at : at + self._size] for at in range(0, count, self._size)]
        first, self.batch = self.batch, self.batch + len(groups)
        views = None
        if self._views:
            views = [BatchView(number, _readable(group), self.total) for number, group in enumerate(groups, first)]
        if self._each == "batch":
            return self._whole(items, groups, views, range(first, self.batch))
        return self._units(items, views and [view for view, group in zip(views, groups, strict=True) for _ in group])

    def alone(self, key: str, row: BadRow) -> Units:
        """A row that cannot be read: with `each` batch a unit of its own, before the batch that is not complete yet."""
        units = Units([self.seq], [self.batch], [key], [row], [()], None)  # type: ignore[list-item]  # it is never run
        if self._views:
            units = structs.replace(units, batches=[BatchView(self.batch, [], self.total)])
        self.seq += 1
        self.batch += 1
        return units

    def _whole(
        self, items: Keyed, groups: Sequence[Sequence[Json]], views: Sequence[BatchView] | None, numbers: range
    ) -> Units:
        """Units that are batches."""
        members = [items.keys[at : at + self._size] for at in range(0, len(items.keys), self._size)]
        seqs = range(self.seq, self.seq + len(groups))
        self.seq += len(groups)
        return Units(seqs, numbers, [*map(batch_key, members)], _lists(groups), members, views)


def _lists(groups: Sequence[Sequence[Json]]) -> Sequence[Json]:
    """Each group as a list; of texts its text."""
    texts = [as_list(group.texts) for group in groups if isinstance(group, Texts)]
    return Texts(texts) if len(texts) == len(groups) else [[*group] for group in groups]


def _readable(group: Sequence[Row]) -> list[Json]:
    return [value for value in group if not isinstance(value, BadRow)]


def batch_key(members: Sequence[str]) -> str:
    """The key of a batch: a hash of its members' keys, in their order."""
    import hashlib  # only batches with `each: batch` have such a key

    return "batch:" + hashlib.sha256(canonical([*members]).encode()).hexdigest()[:24]


def _cut(items: Keyed, start: int, stop: int) -> Keyed:
    return Keyed(items.indexes[start:stop], items.keys[start:stop], items.values[start:stop])


def _joined(first: Keyed, then: Keyed) -> Keyed:
    return Keyed([*first.indexes, *then.indexes], [*first.keys, *then.keys], chained([first.values, then.values]))
