"""The file that a Python worker's processes print into."""

from __future__ import annotations

import os

from batchwork.workers.python.program.output import read_output


class WorkerLog:
    """A file without a name, appended to by the worker and all that it starts."""

    def __init__(self) -> None:
        self.descriptor = _open()

    def text(self, start: int, end: int | None = None) -> str:
        """What was written between two places (or to the end), cut to what is kept of an attempt's output."""
        if end is None:
            end = os.fstat(self.descriptor).st_size
        return read_output(self.descriptor, start, end)

    def close(self) -> None:
        os.close(self.descriptor)


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
