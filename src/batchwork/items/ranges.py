"""Items that are whole numbers in a row: `{from: range, start, stop, step}` or `{from: range, count}`."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import Annotated, Any

from msgspec import Meta, Struct

from batchwork.errors import SourceError
from batchwork.items.base import watched
from batchwork.ports import FieldFault, ItemSource, Reading, Row, SourceType
from batchwork.text.jsontext import Json

_EXAMPLE = "for example {from: range, stop: 10}: 0 to 9"


class RangeSource(SourceType):
    """Whole numbers in a row."""

    name = "range"

    class Fields(Struct, frozen=True):
        """The range as it is written."""

        start: Annotated[int, Meta(description="the first number")] = 0
        stop: Annotated[int | None, Meta(description="where the numbers end; it is not one of them")] = None
        step: Annotated[int, Meta(description="the distance between two numbers; negative counts down")] = 1
        count: Annotated[int | None, Meta(description="how many numbers there are, instead of `stop`")] = None

    def check(self, constants: Mapping[str, Any], written: Collection[str]) -> Iterator[FieldFault]:
        """Where it ends is said once, it goes somewhere, and it has no negative length."""
        ends = {"stop", "count"}.intersection(written)
        if len(ends) == 2:
            yield FieldFault("count", "a range has `stop` or `count`, not both")
        elif not ends:
            yield FieldFault("from", "a range needs `stop` or `count`", _EXAMPLE)
        if constants.get("step") == 0:
            yield FieldFault("step", "`step` of a range must not be 0")
        if (count := constants.get("count") or 0) < 0:
            yield FieldFault("count", f"`count` must not be negative, not {count}")

    def open(self, fields: Fields, cwd: str, environ: Mapping[str, str]) -> ItemSource:
        if fields.count is not None:
            return _Numbers(range(fields.start, fields.start + fields.count * fields.step, fields.step))
        if fields.stop is not None:
            return _Numbers(range(fields.start, fields.stop, fields.step))
        raise SourceError("items: a range needs `stop` or `count`", _EXAMPLE)


class _Numbers:
    """The numbers of a range, which may be larger than any index."""

    may_block = False

    def __init__(self, numbers: range) -> None:
        self._numbers = numbers

    def reading(self) -> Reading:
        start, stop, step = self._numbers.start, self._numbers.stop, self._numbers.step
        beyond = -1 if step > 0 else 1
        length = max(0, (stop - start + step + beyond) // step)
        return Reading(f"range:{start}:{stop}:{step}", length, distinct=True)

    def pages(self, start: int, size: int) -> Iterator[Sequence[Row]]:
        """Pages that are ranges themselves: whatever goes by items sees to it that these are numbers only where it must."""
        return watched("items", self._cut(start, size))

    def _cut(self, start: int, size: int) -> Iterator[Sequence[Json]]:
        at = start
        while page := self._numbers[at : at + size]:
            yield page
            at += size

    def close(self) -> None:
        """Nothing is open."""
