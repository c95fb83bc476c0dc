"""Many JSON values at once: read together with the texts that `encode` would write, and kept as texts. One value is jsontext's.

msgspec does it in a quarter of the time, but not everything as the standard module does. What differs is known here: what it
refuses (lone surrogates, numbers that are too large) it leaves to others, and numbers that it writes in another form are
written again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import chain, starmap
from operator import itemgetter
from typing import Any, Final, overload

import msgspec

from batchwork.text.jsontext import Json, canonical, decode, encode
from batchwork.text.numerals import Numerals

_read = msgspec.json.Decoder().decode
_writer = msgspec.json.Encoder()
_sorting_writer = msgspec.json.Encoder(order="sorted")

_REFUSALS: Final = (msgspec.MsgspecError, ValueError, OverflowError, RecursionError)
DEEPEST: Final = 200
"""Deeper values are left to the standard module: whoever takes a text may have less room for it than msgspec had."""
_AT_ONCE: Final = 128
_DIGITS: Final = bytes.maketrans(b"123456789", b"000000000")
_other_form = re.compile(r"(?:\A|[\[:,])-?(?:0\.0000|\d[\d.]*e)")
"""Where a number may stand that Python writes in another way: `1e-05`, `1e+16`. It may be in a string, too."""


def read_all(lines: Sequence[str]) -> Texts | None:
    """The JSON values of texts. None where there is one that the standard module must read, or nobody can."""
    try:
        found = _rewritten(lines, _writer, encode)
    except _REFUSALS:
        return None
    return None if _are_deep(found) else Texts(found)


def written_all(values: Sequence[Json]) -> Texts | None:
    """The texts of values. None where there is one that only the standard module can write."""
    return _unless_refused(lambda part: _written(_writer, part, encode), values)


def written_structs(values: Sequence[msgspec.Struct]) -> Texts | None:
    """The texts of Structs whose fields are all texts, as if they were mappings. None where there is a lone surrogate."""
    return _unless_refused(lambda part: _writer.encode_lines(part).decode().split("\n")[:-1], values)


def written_columns(names: tuple[str, ...], columns: Sequence[Sequence[Json]]) -> Texts | None:
    """The texts of mappings of names to what stands in each column. None where only the standard module can write one."""
    rows = zip(*columns, strict=True)
    record = record_type(names)
    if record is None:
        found = written_all([dict(zip(names, row, strict=True)) for row in rows])
    else:
        usual = partial(_usual_record, names)
        found = _unless_refused(lambda part: _written(_writer, part, usual), [*starmap(record, rows)])
    return None if found is None or _are_deep(found.texts) else found


def _usual_record(names: tuple[str, ...], record: msgspec.Struct) -> str:
    return encode(dict(zip(names, msgspec.structs.astuple(record), strict=True)))


@lru_cache(16)
def record_type(names: tuple[str, ...]) -> Callable[..., msgspec.Struct] | None:
    """What makes a mapping of names to some values quickly, to be written; None where the names are unusual."""
    fields = [f"f{number}" for number in range(len(names))]
    try:
        return msgspec.defstruct("Record", fields, rename=dict(zip(fields, names, strict=True)), gc=False)
    except ValueError:
        return None


def _unless_refused(write: Callable[[Any], list[str]], values: Sequence[Any]) -> Texts | None:
    texts: list[str] = []
    try:
        for start in range(0, len(values), _AT_ONCE):
            texts += write(values[start : start + _AT_ONCE])
    except _REFUSALS:
        return None
    return Texts(texts)


def canonical_all(values: Texts) -> list[str]:
    """Each value as `canonical` writes it."""
    return _rewritten(values.texts, _sorting_writer, canonical)


def _rewritten(lines: Sequence[str], writer: msgspec.json.Encoder, usual: Callable[[object], str]) -> list[str]:
    """The values of these texts as `usual` writes them. A few at a time: so they are gone before Python looks for garbage."""
    texts: list[str] = []
    for start in range(0, len(lines), _AT_ONCE):
        texts += _written(writer, list(map(_read, lines[start : start + _AT_ONCE])), usual)
    return texts


def _written(writer: msgspec.json.Encoder, values: Sequence[Any], usual: Callable[[Any], str]) -> list[str]:
    """Each value as `usual` writes it, by a writer that differs from it in some numbers only."""
    data = writer.encode_lines(values)
    texts = data.decode().split("\n")
    texts.pop()
    if b"0.0000" in data or b"0e0" in (shapes := data.translate(_DIGITS)) or b"0e-" in shapes:
        for at, text in enumerate(texts):
            if _other_form.search(text):
                texts[at] = usual(values[at])
    return texts


def _are_deep(texts: list[str]) -> bool:
    """Whether a value is deeper than it should be. Short texts cannot be."""
    if max(map(len, texts), default=0) < 2 * DEEPEST:
        return False
    return any(
        text.count("[") + text.count("{") > DEEPEST and is_deeper(value_of(text), DEEPEST, text) for text in texts
    )


def is_deeper(value: Json, most: int, text: str) -> bool:
    """Whether there are more than `most` lists and mappings in each other in the value of a text."""
    if text.count("[") + text.count("{") <= most:
        return False
    level = [value]
    for _ in range(most):
        level = [*chain.from_iterable(map(_parts, level))]
        if not level:
            return False
    return True


def _parts(value: Json) -> Iterable[Json]:
    if isinstance(value, dict):
        return value.values()
    return value if isinstance(value, list) else ()


class Texts(Sequence[Json]):
    """JSON values that are kept as their texts, as `encode` writes them; each look at one makes it anew."""

    __slots__ = ("texts",)

    def __init__(self, texts: list[str]) -> None:
        self.texts = texts

    def __len__(self) -> int:
        return len(self.texts)

    @overload
    def __getitem__(self, at: int) -> Json: ...

    @overload
    def __getitem__(self, at: slice) -> Texts: ...

    def __getitem__(self, at: int | slice) -> Json | Texts:
        if isinstance(at, slice):
            return Texts(self.texts[at])
        return value_of(self.texts[at])

    def __iter__(self) -> Iterator[Json]:
        return map(value_of, self.texts)

    def pick(self, offsets: Sequence[int]) -> Texts:
        """The values at `offsets`."""
        return Texts([self.texts[at] for at in offsets])


def values_at(values: Texts, names: tuple[str | int, ...]) -> list[Json] | None:
    """What each value has under these names, one in the other. None where one of them has not, or is no object."""
    read = _reader_at(names)
    if read is None:
        return None
    try:
        found: list[Any] = [*map(read, values.texts)]
    except _REFUSALS:
        return None
    for _ in names:
        found = [part.value for part in found]
    return found


@lru_cache(16)
def _reader_at(names: tuple[str | int, ...]) -> Callable[[str], Any] | None:
    """What reads of a text only what stands under these names. None where there cannot be one."""
    kind: Any = Any
    try:
        for name in reversed(names):
            kind = msgspec.defstruct("At", [("value", kind)], rename={"value": name}, gc=False)  # type: ignore[dict-item]
    except (TypeError, ValueError):  # a number, or a name with characters that are escaped
        return None
    return msgspec.json.Decoder(kind).decode


def value_of(text: str) -> Json:
    """The value of a text that `encode` has written."""
    try:
        value: Json = _read(text)
    except _REFUSALS:
        return decode(text)
    return value


def as_list(texts: Sequence[str]) -> str:
    """The text of a list of these values."""
    return f"[{','.join(texts)}]"


def picked(column: Sequence[Any], offsets: Sequence[int]) -> Sequence[Any]:
    """What stands at `offsets` of a column; texts stay texts, and numerals numerals."""
    if type(column) is Texts:  # asking whether it is an instance takes longer than a short column
        return column.pick(offsets)
    if type(column) is Numerals:
        return Numerals(picked(column.numbers, offsets))
    if len(offsets) < 2:
        return [column[at] for at in offsets]
    found: tuple[Any, ...] = itemgetter(*offsets)(column)  # a third of the time that a loop takes
    return found


def chained(columns: Sequence[Sequence[Any]]) -> Sequence[Any]:
    """One column after another; texts stay texts."""
    texts = [column.texts for column in columns if isinstance(column, Texts)]
    if texts and len(texts) == len(columns):
        return Texts([*chain.from_iterable(texts)])
    return [*chain.from_iterable(columns)]
