"""Keys of which it matters only whether they were there: eight bytes each, in a file that has no name."""

from __future__ import annotations

import mmap
import os
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Sequence


class KeyArchive:
    """Hashes of keys in sorted runs. Two keys of one hash (one chance in 1,000 at a hundred million keys) count as the same."""

    def __init__(self) -> None:
        import tempfile

        self._file, name = tempfile.mkstemp(prefix="batchwork-keys-")
        os.unlink(name)
        self._ends: list[int] = [0]
        self._runs: list[memoryview] = []

    def __del__(self) -> None:
        os.close(self._file)

    def add(self, keys: Iterable[str]) -> None:
        """Keys, many at a time: each call makes a run that is looked through by itself."""
        codes = array("q", sorted(map(hash, keys)))
        if not codes:
            return
        rest = memoryview(codes).cast("B")
        while rest:
            rest = rest[os.write(self._file, rest) :]
        self._ends.append(self._ends[-1] + len(codes))
        whole = memoryview(mmap.mmap(self._file, self._ends[-1] * 8, access=mmap.ACCESS_READ)).cast("q")
        self._runs = [whole[start:end] for start, end in zip(self._ends, self._ends[1:], strict=False)]

    def found(self, keys: Sequence[str]) -> set[str]:
        """Those of the keys that are there."""
        return {key for key in keys if self._has(hash(key))}

    def _has(self, code: int) -> bool:
        for run in self._runs:
            at = bisect_left(run, code)
            if at < len(run) and run[at] == code:
                return True
        return False
