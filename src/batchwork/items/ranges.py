"""Items that are whole numbers in a row: `{from: range, start, stop, step}` or `{from: range, count}`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from batchwork.errors import SourceError
from batchwork.items.base import watched
from batchwork.items.options import RangeOptions
from batchwork.ports import Reading
from batchwork.text.jsontext import Json


class RangeItems:
    """The numbers from `start` on, `step` apart, without `stop` itself; or `count` of them."""

    def __init__(self, options: RangeOptions) -> None:
        start, step = options.start, options.step
        if options.count is not None:
            stop = start + options.count * step
        elif options.stop is not None:
            stop = options.stop
        else:
            raise SourceError("items: a range needs `stop` or `count`", "for example {from: range, stop: 10}: 0 to 9")
        self._numbers = range(start, stop, step)

    def reading(self) -> Reading:
        numbers = self._numbers
        length = max(0, (numbers.stop - numbers.start + numbers.step - (1 if numbers.step > 0 else -1)) // numbers.step)
        return Reading(f"range:{numbers.start}:{numbers.stop}:{numbers.step}", length, distinct=True)

    def pages(self, start: int, size: int) -> Iterator[Sequence[Json]]:
        return watched("items", self._cut(start, size))

    def _cut(self, start: int, size: int) -> Iterator[Sequence[Json]]:
        at = start
        while page := list(self._numbers[at : at + size]):
            yield page
            at += size

    def close(self) -> None:
        """Nothing is open."""
