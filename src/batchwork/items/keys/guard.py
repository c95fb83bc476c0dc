"""Identity of items: their keys, and a guard that tells repeated ones apart in memory that does not grow. Templates are the engine's."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from collections.abc import Set as AbstractSet
from itertools import chain
from json.encoder import encode_basestring as quoted  # of C where there is one
from typing import Literal, TypeAlias

from msgspec import Struct

from batchwork.errors import SourceError
from batchwork.items.keys.archive import KeyArchive
from batchwork.items.keys.seen import Seen
from batchwork.text.jsontext import KEY_MAX, Json, default_key, key_of
from batchwork.text.jsontexts import Texts, canonical_all
from batchwork.text.numerals import Numerals

Known: TypeAlias = Callable[[Sequence[str]], Collection[str]]
"""Which of these keys were seen earlier in this reading and are recorded; a mapping gives their positions too."""

BACKLOG_MOST = 50_000
"""So many keys may be put down before they are sorted out."""
ARCHIVE_AT = 100_000
"""So many keys are held before they go to the archive."""
COPIES_MOST = 100_000
"""Repeated keys whose last number is remembered; a forgotten one is counted again from 1."""

_SHORT = 10**KEY_MAX


def default_keys(values: Sequence[Json], position: int = 0) -> Sequence[str]:
    """The default keys of a page of items, `position` being the first one's. Raises SourceError for what is not JSON data."""
    if isinstance(values, Texts):
        return [*map(key_of, canonical_all(values))]
    if isinstance(values, range) and max(map(abs, (*values[:1], *values[-1:])), default=0) < _SHORT:
        return Numerals(values)
    kinds = set(map(type, values))
    if kinds == {int}:
        numbers: Sequence[int] = values  # type: ignore[assignment]  # all are whole numbers
        if max(map(abs, numbers)) < _SHORT:
            return [*map(str, numbers)]
    elif kinds == {str}:
        texts: Sequence[str] = values  # type: ignore[assignment]
        keys = [*map(quoted, texts)]
        if max(map(len, keys)) <= KEY_MAX and all(map(str.isascii, keys)):
            return keys
    return _one_by_one(values, position)


def _one_by_one(values: Sequence[Json], position: int) -> list[str]:
    found = []
    for offset, value in enumerate(values):
        try:
            found.append(default_key(value))
        except (ValueError, TypeError, RecursionError) as error:
            raise SourceError(f"items: number {position + offset} (from 0) has no key: {error}") from error
    return found


class Checked(Struct, frozen=True):
    """The keys of a page, all of them new in this reading. `repeated` are the offsets of those that had to be numbered."""

    keys: Sequence[str]
    repeated: Sequence[int] = ()


class KeyGuard:
    """Finds keys that come again in one reading of a source: `KEY`, `KEY#1`, `KEY#2`, …, or an error.

    Where a key may have been seen, the keys that are not recorded yet decide, and else `known`. Call `release` with keys
    once `known` would find them: until then they are held here. Without `known` nothing need be released: keys go to an archive.
    """

    def __init__(self, on_duplicate: Literal["keep", "skip", "error"], known: Known | None = None) -> None:
        self._error = on_duplicate == "error"
        self._archive = KeyArchive() if known is None else None
        self._seen = Seen()
        self._known: Known = known or self._archived
        self._unarchived = 0
        self._held = _Held()
        self._copies: dict[str, int] = {}

    def check(self, keys: Sequence[str], position: int) -> Checked:
        """The keys of the next page, whose first item stands at `position`. Raises SourceError with `error`."""
        if self._archive is not None:
            self._unarchived += len(keys)
            if self._unarchived > ARCHIVE_AT:
                self._archive.add(self._held.empty())
                self._unarchived = len(keys)
        suspects = self._seen.sift(keys)
        if suspects:
            return self._settle(keys, position, {*suspects})
        self._held.add(position, keys)
        return Checked(keys)

    def release(self, keys: Sequence[str]) -> None:
        """These keys are recorded: from now on `known` answers for them."""
        self._held.drop(keys)

    def _archived(self, keys: Sequence[str]) -> Collection[str]:
        assert self._archive is not None
        return self._archive.found(keys)

    def _settle(self, keys: Sequence[str], position: int, suspects: set[int]) -> Checked:
        suspected = {keys[offset]: None for offset in sorted(suspects)}
        if len({*keys}) == len(keys) and not self._held.may_hold({*suspected}):
            recorded = self._known([*suspected])
            if not recorded:  # as most times: the filter has filled up
                self._held.add(position, keys)
                return Checked(keys)
        else:
            held = self._held.positions()
            recorded = self._known([key for key in suspected if key not in held])
        return self._told_apart(keys, position, suspects, recorded)

    def _told_apart(self, keys: Sequence[str], position: int, suspects: set[int], recorded: Collection[str]) -> Checked:
        held = self._held.positions()
        unique: list[str] = []
        repeated: list[int] = []
        for offset, key in enumerate(keys):
            if key in held or (offset in suspects and key in recorded):
                if self._error:
                    raise self._twice(key, recorded, position + offset)
                repeated.append(offset)
                key = self._numbered(key)  # noqa: PLW2901
            held[key] = position + offset
            unique.append(key)
        return Checked(unique, repeated)

    def _numbered(self, key: str) -> str:
        """The first `KEY#n` that is free."""
        number = self._copies.get(key, 0) + 1
        while self._is_taken(name := f"{key}#{number}"):
            number += 1
        if len(self._copies) >= COPIES_MOST and key not in self._copies:
            self._copies.clear()
        self._copies[key] = number
        return name

    def _is_taken(self, key: str) -> bool:
        return bool(self._seen.sift([key])) and (key in self._held.positions() or key in self._known([key]))

    def _twice(self, key: str, recorded: Collection[str], position: int) -> SourceError:
        first = self._held.positions().get(key)
        if first is None and isinstance(recorded, Mapping):
            first = recorded.get(key)
        where = f"at {position} and before"
        if first is not None:
            where = f"at {first} and {position}"
        return SourceError(
            f"items: the key {key!r} comes twice, {where} (positions count from 0)",
            "write a `key` that tells the items apart, or `on_duplicate: keep` or `skip`",
        )


class _Held:
    """Keys that are not recorded yet, with their positions. Pages and releases are put down as they come and sorted out later.

    Most keys go as they came, a page of them after the other, and then none of them is ever looked at by itself.
    """

    def __init__(self) -> None:
        self._keys: dict[str, int] = {}
        self._pages: list[tuple[int, Sequence[str]]] = []
        self._seen = 0  # pages that were there when it was last sorted out
        self._released: list[Sequence[str]] = []
        self._gone: set[str] = set()
        self._backlog = 0

    def add(self, position: int, keys: Sequence[str]) -> None:
        """A page of new keys, the first one at `position`."""
        self._pages.append((position, (*keys,)))
        self._backlog += len(keys)
        if self._backlog > BACKLOG_MOST:
            self._sort_out()

    def drop(self, keys: Sequence[str]) -> None:
        """These need not be held any longer."""
        released = (*keys,)
        if self._pages and self._pages[0][1] == released:  # so it is while a source is read again that has not changed
            del self._pages[0]
            self._seen, self._backlog = max(0, self._seen - 1), self._backlog - len(released)
        else:
            self._released.append(released)

    def may_hold(self, keys: AbstractSet[str]) -> bool:
        """Whether one of the keys is held, or was a while ago."""
        return not (self._keys.keys().isdisjoint(keys) and all(keys.isdisjoint(page) for _, page in self._pages))

    def positions(self) -> dict[str, int]:
        """The keys that are held, with their positions; may be added to."""
        if self._pages or self._released:
            self._seen = len(self._pages)
            self._sort_out()
        return self._keys

    def empty(self) -> list[str]:
        """All that is held, which then is held no longer."""
        keys = [*self.positions()]
        self._keys = {}
        return keys

    def _sort_out(self) -> None:
        """Let go of pages that are gone; of those that have been here for long, keep what is left of them."""
        gone, held = self._gone.union(*self._released), self._keys
        new: list[tuple[int, Sequence[str]]] = []
        for number, (position, keys) in enumerate(self._pages):
            if gone.issuperset(keys):
                continue
            if number >= self._seen:
                new.append((position, keys))
            else:
                held.update((key, at) for at, key in enumerate(keys, position) if key not in gone)
        for key in held.keys() & gone:
            del held[key]
        self._gone = gone.intersection(chain.from_iterable(keys for _, keys in new))
        self._pages, self._seen, self._released, self._backlog = new, len(new), [], 0
