"""A source whose rows cost next to nothing: texts in which `@` stands for the numbers of a range. Its package is this folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from batchwork.items.ranges import RangeSource
from batchwork.ports import ItemSource, Reading, Row, Rows
from batchwork.text.jsontexts import Texts


class MadeSource(RangeSource):
    """Rows of one form."""

    name = "made"

    class Fields(RangeSource.Fields, frozen=True):
        """The range, and the text of a row: a JSON object, or what is taken as it is."""

        text: str = ""

    def open(self, fields: Fields, cwd: str, environ: Mapping[str, str]) -> ItemSource:
        return _Made(super().open(fields, cwd, environ), fields.text)


class _Made:
    may_block = True

    def __init__(self, numbers: ItemSource, text: str) -> None:
        self._numbers, self._text = numbers, text

    def reading(self) -> Reading:
        return Reading("", self._numbers.reading().length, distinct=False)

    def pages(self, start: int, size: int) -> Iterator[Sequence[Row]]:
        for page in self._numbers.pages(start, size):
            made = [self._text.replace("@", str(at)) for at in page]
            yield Rows("made", Texts(made) if self._text.startswith("{") else made, [(0, 1)])

    def close(self) -> None:
        """Nothing is open."""
