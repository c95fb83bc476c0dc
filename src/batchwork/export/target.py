"""Where a table goes and in which format, as told by the ending of its name. Nothing is opened here."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final, cast, get_args

from msgspec import Struct

from batchwork.errors import UsageError
from batchwork.model import FileFormat
from batchwork.secrets import shown_url
from batchwork.text.patterns import is_url
from batchwork.text.spelling import listing

FORMATS: Final[tuple[FileFormat, ...]] = get_args(FileFormat)
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
WRITING_PARQUET: Final = "writing Parquet files"
WRITING_ZSTD: Final = "writing .zst files"
WRITING_URLS: Final = "writing to URLs"


class Target(Struct, frozen=True):
    """A file or URL, the format that is written to it, and the ending of what compresses it, or nothing."""

    place: str
    format: FileFormat
    compression: str = ""

    @property
    def is_url(self) -> bool:
        return is_url(self.place)

    @property
    def shown(self) -> str:
        """The place for people: without password, token and signature."""
        return shown_url(self.place) if self.is_url else self.place

    @property
    def packages(self) -> list[tuple[str, str]]:
        """The packages that writing to it takes, beside those that any run has, and for people what each is needed for."""
        needs = [("pyarrow", WRITING_PARQUET)] if self.format == "parquet" else []
        needs += [("zstandard", WRITING_ZSTD)] if self.compression == "zst" else []
        needs += [("fsspec", WRITING_URLS)] if self.is_url else []
        return needs


def target_of(place: str, written: str | None = None) -> Target:
    """The target of a path or URL; its ending tells the format where none is `written`. Raises UsageError."""
    name = place.rpartition("/")[2].lower()
    if is_url(place):
        name = name.partition("?")[0]
    parts = name.split(".")
    compression = parts.pop() if len(parts) > 1 and parts[-1] in COMPRESSIONS else ""
    found = _ENDINGS.get(parts[-1]) if len(parts) > 1 else None
    shape = written or found
    if shape is None:
        raise UsageError(
            f"the ending of {Target(place, 'csv').shown!r} names no format",
            f"end it with {_endings(FORMATS)}, after which {_endings(COMPRESSIONS)} may stand; or say the format",
        )
    if place.lower().startswith(("http://", "https://")):
        said = f"cannot write {shown_url(place)}: such URLs can only be read"
        raise UsageError(said, "name a file, or an object of a store (s3://, gs://)")
    return Target(place, cast(FileFormat, shape), compression)


def _endings(words: Iterable[str]) -> str:
    return listing([f".{word}" for word in words], last="or")
