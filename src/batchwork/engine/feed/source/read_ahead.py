"""A step's source read in pages: by a thread ahead of the step, where it may keep a reader waiting."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from queue import Empty, SimpleQueue
from threading import Semaphore, Thread
from typing import Final

from batchwork.plan.model import BatchPlan
from batchwork.ports import ItemSource, Row

ITEMS_AT_ONCE: Final = 4_000
"""As many as the largest call takes: of a longer page each second call would be the short rest."""
READ_AHEAD: Final = 4
"""SourcePages of a source that may block which are read and not yet taken, the one being read and the one being taken included."""
CLOSING_S: Final = 1.0


class SourcePages:
    """The pages of a source. `reading` is what it said of itself before."""

    def __init__(self, source: ItemSource, batch: BatchPlan, wake: Callable[[], None]) -> None:
        self._source = source
        self.reading = source.reading()
        size, ahead = _sizes(batch)
        self._pages = source.pages(0, size)
        self._ahead = _Ahead(self._pages, ahead, wake) if source.may_block else None

    def __iter__(self) -> Iterator[Sequence[Row] | None]:
        """The pages; None where none has come yet (`wake` is called when one has). Raises SourceError."""
        if self._ahead is None:
            return self._pages
        return self._ahead.pages()

    def close(self) -> None:
        """End the source, and the thread that reads ahead."""
        self._source.close()
        if self._ahead is not None:
            self._ahead.close()


def _sizes(batch: BatchPlan) -> tuple[int, int]:
    """Items in a page, and pages that may have been read and not yet taken.

    With a cap for what has been read and not yet taken, a page is at most half of it, so that one half can be read while
    the other one is taken.
    """
    if batch.queue_size is None:
        return ITEMS_AT_ONCE, READ_AHEAD
    cap = batch.queue_size * batch.batch_size
    size = max(1, min(ITEMS_AT_ONCE, cap // 2))
    return size, min(READ_AHEAD, cap // size)


class _Ahead:
    """A thread that reads pages ahead, so that a slow source keeps nobody waiting. `most` pages are there at once."""

    def __init__(self, pages: Iterator[Sequence[Row]], most: int, wake: Callable[[], None]) -> None:
        self._pages, self._wake = pages, wake
        self._room = Semaphore(most)
        self._queue: SimpleQueue[Sequence[Row] | Exception | None] = SimpleQueue()
        self._closed = False
        self._thread = Thread(target=self._read, name="items", daemon=True)

    def pages(self) -> Iterator[Sequence[Row] | None]:
        """The pages, None where none has come yet. Raises what reading raised."""
        self._thread.start()
        while True:
            try:
                page = self._queue.get_nowait()
            except Empty:
                yield None
                continue
            if isinstance(page, Exception):
                raise page
            if page is None:
                return
            yield page
            self._room.release()

    def close(self) -> None:
        """Let the thread end. One that is stuck in a read that nothing ends (a silent pipe) is left to the process's end."""
        self._closed = True
        self._room.release()
        if self._thread.is_alive():
            self._thread.join(CLOSING_S)

    def _has_room(self) -> bool:
        self._room.acquire()
        return not self._closed

    def _read(self) -> None:
        end: Exception | None = None
        try:
            while self._has_room() and (page := next(self._pages, None)) is not None:
                self._queue.put(page)
                self._wake()
        except Exception as error:  # noqa: BLE001  # whatever it is, the coordinator must hear of it
            end = error
        self._queue.put(end)
        self._wake()
