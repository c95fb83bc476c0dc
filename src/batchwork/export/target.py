"""Where a table goes and in which format, as told by the ending of its name. Nothing is opened here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, Literal, cast

from msgspec import Struct

from batchwork.errors import UsageError
from batchwork.secrets import shown_url
from batchwork.text.patterns import pattern

FileFormat = Literal["jsonl", "csv", "parquet", "json"]
FORMATS: Final[tuple[FileFormat, ...]] = ("jsonl", "csv", "parquet", "json")
COMPRESSIONS: Final = ("gz", "bz2", "xz", "zst")
_ENDINGS: Final = {
    "jsonl": "jsonl",
    "ndjson": "jsonl",
    "csv": "csv",
    "parquet": "parquet",
    "pq": "parquet",
    "json": "json",
}
IN_A_NAME: Final = "names of files are seen by everyone; only a URL may have a secret in it"
_url = pattern(r"[A-Za-z][A-Za-z0-9+.-]+://")


def one_of(words: Iterable[str]) -> str:
    """`a, b or c`."""
    *first, last = words
    return f"{', '.join(first)} or {last}"


class Target(Struct, frozen=True):
    """A file or URL, the format that is written to it, and the ending of what compresses it, or nothing."""

    place: str
    format: FileFormat
    compression: str = ""

    @property
    def is_url(self) -> bool:
        return _url.match(self.place) is not None

    @property
    def shown(self) -> str:
        """The place for people: without password, token and signature."""
        return shown_url(self.place) if self.is_url else self.place


def target_of(place: str, written: str | None = None) -> Target:
    """The target of a path or URL; its ending tells the format where none is `written`. Raises UsageError."""
    name = place.rpartition("/")[2].lower()
    if _url.match(place):
        name = name.partition("?")[0]
    parts = name.split(".")
    compression = parts.pop() if len(parts) > 1 and parts[-1] in COMPRESSIONS else ""
    found = _ENDINGS.get(parts[-1]) if len(parts) > 1 else None
    shape = written or found
    if shape is None:
        raise UsageError(
            f"the ending of {Target(place, 'csv').shown!r} names no format",
            f"end it with {one_of('.' + one for one in FORMATS)}, behind which {one_of('.' + one for one in COMPRESSIONS)} "
            "may stand; or say the format",
        )
    return Target(place, cast(FileFormat, shape), compression)
