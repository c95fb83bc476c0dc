"""Which keys may have been seen before, in memory that does not grow: "no" is certain, "perhaps" is not. What follows is not decided here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import combinations
from operator import lt
from typing import TypeAlias

FILTER_WORDS = 1 << 21
"""64-bit words of the filter: 16 MiB, of which the system hands out only the pages that are touched."""


class Seen:
    """Keys of one reading.

    As long as they come in order, the last one tells of all: none that stands after it has been seen. From the first
    page on that is not in order, each key is remembered by up to eight bits in one word of a fixed filter. Only a key whose
    bits are all set may have been seen, or one that stands before the last one of those that were in order.
    """

    def __init__(self) -> None:
        self._orders: list[Order] = [by_text, by_length]
        self._last: str | None = None  # of those that came in order
        self._filter: _Filter | None = None

    def sift(self, keys: Sequence[str]) -> list[int]:
        """The offsets of those that may have been seen. All of them have been from now on."""
        if self._filter is None:
            if self._go_on(keys):
                return []
            self._filter = _Filter()
        found = self._filter.sift(keys)
        if self._last is None:
            return found
        return sorted({*found, *self._before(self._last, keys)})

    def _go_on(self, keys: Sequence[str]) -> bool:
        """Whether the keys go on in an order that all before them were in."""
        orders = [order for order in self._orders if order(self._last, keys)]
        if orders and keys:
            self._orders, self._last = orders, keys[-1]
        return bool(orders)

    def _before(self, last: str, keys: Sequence[str]) -> list[int]:
        """Those that do not stand after the last one of those that came in order."""
        order = self._orders[0]
        return [offset for offset, key in enumerate(keys) if not order(last, [key])]


Order: TypeAlias = Callable[[str | None, Sequence[str]], bool]
"""Whether keys come one after another, each after the one before it and the first one after another key."""


def by_text(last: str | None, keys: Sequence[str]) -> bool:
    """Names that were sorted, times, numbers of one length."""
    return _after(last, keys, lambda key: key) and all(map(lt, keys, keys[1:]))


def by_length(last: str | None, keys: Sequence[str]) -> bool:
    """Numbers from 0 on: shorter ones first."""
    if not _after(last, keys, lambda key: (len(key), key)):
        return False
    lengths = [*map(len, keys)]
    if len({*lengths}) == 1:
        return all(map(lt, keys, keys[1:]))
    return all(map(lt, zip(lengths, keys, strict=True), zip(lengths[1:], keys[1:], strict=True)))


def _after(last: str | None, keys: Sequence[str], rank: Callable[[str], str | tuple[int, str]]) -> bool:
    return last is None or not keys or rank(last) < rank(keys[0])  # type: ignore[operator]  # ranks are of one kind


class _Filter:
    """A Bloom filter in words."""

    def __init__(self) -> None:
        self._words = memoryview(bytearray(FILTER_WORDS * 8)).cast("Q")
        self._masks = _masks()

    def sift(self, keys: Sequence[str]) -> list[int]:
        words, masks = self._words, self._masks
        suspects = []
        for offset, code in enumerate(map(hash, keys)):
            at = code & 0x1FFFFF  # 21 bits of the hash choose the word, twice 12 further ones four bits in it
            bits = masks[code >> 21 & 0xFFF] | masks[code >> 33 & 0xFFF]
            word = words[at]
            if word & bits == bits:
                suspects.append(offset)
            else:
                words[at] = word | bits
        return suspects


def _masks() -> list[int]:
    """4096 words with four of 64 bits set, all bits alike; some have three."""
    pairs = [1 << one | 1 << other for one, other in combinations(range(64), 2)]
    count = len(pairs)
    return [pairs[at % count] | pairs[(977 * at + 5 * (at // count) + 31) % count] for at in range(4096)]
