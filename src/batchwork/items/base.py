"""What all sources share: items cut into pages, fault points, and errors of the operating system as SourceError. No source is here."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from batchwork.errors import SourceError
from batchwork.faults import fault
from batchwork.ports import Row, Rows

PAGE_BYTES = 256 * 1024
"""A page ends early once its items took so many bytes in the file: memory is bounded by item size, not by page size."""

Chunk = tuple[Rows, int]
"""Some items in a row, and the bytes that they took."""


def into_pages(chunks: Iterable[Chunk | None], start: int, size: int) -> Iterator[Rows]:
    """Pages of at most `size` items, without the first `start`. None among the chunks: nothing more for now, hand out what there is.

    Where reading ends with an error, what came before is handed out first.
    """
    page, taken = Rows(), 0
    failures: list[Exception] = []
    for chunk in _until_failure(chunks, failures):
        if chunk is None:
            if page:
                yield page
                page, taken = Rows(), 0
            continue
        items, length = chunk
        at = min(start, len(items))
        start -= at
        while len(page) + len(items) - at >= size:
            cut = at + size - len(page)
            page.add(items, at, cut)
            yield page
            page, taken, at = Rows(), 0, cut
        if at < len(items):
            page.add(items, at, len(items))
            taken += length
        if taken >= PAGE_BYTES:
            yield page
            page, taken = Rows(), 0
    if page:
        yield page
    for failure in failures:
        raise failure


def without_first(pages: Iterable[Sequence[Row]], count: int) -> Iterator[Sequence[Row]]:
    """The pages without the first `count` rows."""
    for page in pages:
        if count < len(page):
            yield page if count == 0 else part_of(page, count, len(page))
        count = max(0, count - len(page))


def part_of(page: Sequence[Row], start: int, stop: int) -> Sequence[Row]:
    """The rows from `start` to before `stop`; they know where they stand if the page does."""
    if not isinstance(page, Rows):
        return page[start:stop]
    part = Rows()
    part.add(page, start, stop)
    return part


def _until_failure(chunks: Iterable[Chunk | None], failures: list[Exception]) -> Iterator[Chunk | None]:
    """The chunks; what ends them is put into `failures`."""
    try:
        yield from chunks
    except (SourceError, OSError) as error:
        failures.append(error)


def watched(what: str, pages: Iterable[Sequence[Row]]) -> Iterator[Sequence[Row]]:
    """The pages, with the fault point `items.load` before each, and errors of the operating system as SourceError about `what`."""
    rows = iter(pages)
    while True:
        try:
            fault("items.load")
            page = next(rows, None)
        except OSError as error:
            raise unreadable(what, error) from error
        if page is None:
            return
        yield page


def unreadable(what: str, error: OSError) -> SourceError:
    """The operating system's error, said of a source."""
    reason = error.strerror or str(error)
    message = f"{what}: {reason[:1].lower()}{reason[1:]}"
    if isinstance(error, FileNotFoundError):
        return SourceError(message, "paths are relative to the directory where batchwork was started")
    return SourceError(message)


def digest(parts: Iterable[str]) -> str:
    """A short fingerprint of some texts."""
    import hashlib  # only files and commands have a fingerprint that takes it

    total = hashlib.sha256()
    for part in parts:
        total.update(part.encode("utf-8", "surrogatepass"))
        total.update(b"\n")
    return total.hexdigest()[:32]
