"""Named fault points: where tests make things go wrong. Nothing happens unless BATCHWORK_TESTING=1 is set.

`BATCHWORK_FAULT="point:action@n[,…]"`: at the n-th hit of the point do the action: `kill9`, `raise`,
`execute_and_raise` (the caller asks `fails_after`), `sleep<ms>`, `count`, or an errno name (`ENOSPC`, `EIO`, `EAGAIN`).
`@n` may be left out (every hit); each process counts its own. Which hit is the last is known only afterwards: a test
counts first, with `point:count`, which adds a line (`point process`) to the file `$BATCHWORK_FAULT_HITS` at each hit.
Then `@last` is the number that was counted there; where nothing was, it is said, and never comes.
"""

from __future__ import annotations

import errno
import os
import signal
import sys
import time
from collections import Counter


def _parse(text: str) -> dict[str, list[tuple[str, int]]]:
    found: dict[str, list[tuple[str, int]]] = {}
    for part in filter(None, text.split(",")):
        point, _, rest = part.partition(":")
        action, _, number = rest.partition("@")
        if number == "last":
            number = str(_last(point))
        if number and not number.removeprefix("-").isdigit():
            raise SystemExit(f"BATCHWORK_FAULT: `@{number}` is neither a number nor `last`")
        found.setdefault(point, []).append((action, int(number) if number else 0))
    return found


def _last(point: str) -> int:
    """How often the point was hit when that was counted, in the process that hit it most; -1 if it was not counted."""
    try:
        with open(os.environ["BATCHWORK_FAULT_HITS"], encoding="utf-8") as hits:
            counted = Counter(line for line in hits if line.startswith(f"{point} "))
    except (KeyError, OSError):
        counted = Counter()
    if not counted:
        sys.stderr.write(f"BATCHWORK_FAULT: `@last` never comes: count first, with `{point}:count`\n")
    return max(counted.values(), default=-1)


_armed = _parse(os.environ.get("BATCHWORK_FAULT", "")) if os.environ.get("BATCHWORK_TESTING") == "1" else {}
_hits: Counter[str] = Counter()


def fault(point: str) -> None:
    """Do what was asked for at this hit of `point`; raises OSError for `raise` and errno names."""
    if _armed:
        _strike(point)


def fails_after(point: str) -> bool:
    """Whether the caller is to pretend, after having succeeded, that the operation failed (`execute_and_raise`)."""
    return any(action == "execute_and_raise" and n in (0, _hits[point]) for action, n in _armed.get(point, ()))


def _strike(point: str) -> None:
    if point not in _armed:
        return
    _hits[point] += 1
    for action, n in _armed[point]:
        if n not in (0, _hits[point]):
            continue
        if action == "kill9":
            os.kill(os.getpid(), signal.SIGKILL)
        elif action.startswith("sleep"):
            time.sleep(int(action[5:]) / 1000)
        elif action == "count":
            with open(os.environ["BATCHWORK_FAULT_HITS"], "a", encoding="utf-8") as hits:
                hits.write(f"{point} {os.getpid()}\n")
        elif action == "raise":
            raise OSError(errno.EIO, f"fault at {point}")
        elif action != "execute_and_raise":
            number = getattr(errno, action)
            raise OSError(number, os.strerror(number))
