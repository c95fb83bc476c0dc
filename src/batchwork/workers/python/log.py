"""The file that a Python worker's processes print into, and texts for people from what was cut out of it."""

from __future__ import annotations

import os
from collections.abc import Callable

LIMIT = 1 << 20
"""Most of an attempt's output that is kept, in bytes; beyond it head and tail."""
OVERLAP = 4096
"""Characters by which head and tail are longer, so that no secret is cut in two before it is masked."""

Clean = Callable[[str], str] | None


class WorkerLog:
    """A file without a name, appended to by the worker and all that it starts."""

    def __init__(self) -> None:
        self.descriptor = _open()

    def text(self, start: int, end: int | None = None, clean: Clean = None) -> str:
        """What was written between two places (or to the end), masked, cut to the limit."""
        stop = os.fstat(self.descriptor).st_size if end is None else end
        size = stop - start
        if size <= LIMIT:
            return log_text(self._read(start, size), clean)
        half = LIMIT // 2
        head, tail = self._read(start, half + OVERLAP), self._read(stop - half - OVERLAP, half + OVERLAP)
        return log_text([head, size - 2 * half, tail], clean)

    def _read(self, start: int, size: int) -> str:
        parts = []
        while size > 0 and (part := os.pread(self.descriptor, size, start)):
            parts.append(part)
            start, size = start + len(part), size - len(part)
        return b"".join(parts).decode("utf-8", "replace")

    def close(self) -> None:
        os.close(self.descriptor)


def log_text(log: object, clean: Clean) -> str:
    """A log as a worker sends it (a text, or [head, bytes left out, tail]) as one masked text."""
    mask = clean if clean is not None else str
    if isinstance(log, list):
        head, left_out, tail = str(log[0]), log[1], str(log[2])
        return f"{mask(head)[:-OVERLAP]}\n[{left_out:,} bytes left out]\n{mask(tail)[OVERLAP:]}"
    return mask(str(log))


def _open() -> int:
    try:
        folder = os.environ.get("TMPDIR") or "/tmp"  # noqa: S108  the file has no name that others could take
        return os.open(folder, os.O_TMPFILE | os.O_RDWR | os.O_APPEND | os.O_CLOEXEC, 0o600)
    except (AttributeError, OSError):  # not every file system can
        import tempfile

        descriptor, path = tempfile.mkstemp(prefix="batchwork")
        os.close(descriptor)
        descriptor = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CLOEXEC)
        os.unlink(path)
        return descriptor
