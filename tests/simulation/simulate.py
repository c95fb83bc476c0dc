"""Runs histories: one by its seed, with its story, or as many as fit into some minutes. `make simulate SEED=… MINUTES=…`."""

from __future__ import annotations

import argparse
import os
import sys
import time
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parent), str(Path(__file__).parent.parent / "unit")]

from history import History, simulated  # noqa: E402  # found by the path above


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, help="one history, with its story")
    parser.add_argument("--first", type=int, default=None, help="the first seed of many")
    parser.add_argument("--minutes", type=float, default=1.0)
    parser.add_argument("--histories", type=int, default=None, help="so many, whatever the time")
    parser.add_argument("--brief", action="store_true", help="without the story of what is wrong")
    asked = parser.parse_args()
    with simulated() as folder:
        if asked.seed is not None:
            return one(asked.seed, folder)
        first = asked.first if asked.first is not None else int.from_bytes(os.urandom(4))
        until = Until(asked.minutes * 60, asked.histories)
        return many(first, until, folder, asked.brief)


def one(seed: int, folder: str) -> int:
    """Tell the story of a seed."""
    history = History(seed, folder)
    wrong = history.happen()
    print(history.story())
    print(f"seed {seed}: {wrong or 'nothing is wrong'}")
    return int(wrong is not None)


class Until:
    """When it is enough: after so many histories, or after so long."""

    def __init__(self, seconds: float, histories: int | None) -> None:
        self._began, self._seconds, self._histories = time.monotonic(), seconds, histories

    @property
    def took_s(self) -> float:
        return time.monotonic() - self._began

    def over(self, count: int) -> bool:
        """Whether `count` histories are enough."""
        if self._histories is not None:
            return count >= self._histories
        return self.took_s >= self._seconds


def many(first: int, until: Until, folder: str, brief: bool) -> int:
    """Histories from a seed on, until it is enough or something is wrong."""
    seed, executions, starts = first, 0, 0
    while not until.over(seed - first):
        history = History(seed, folder)
        wrong = history.happen()
        executions, starts = executions + history.executions, starts + history.starts
        if wrong is not None:
            if not brief:
                print(history.story())
            print(f"seed {seed}: {' '.join(wrong.split())[-300:] if brief else wrong}")
            return 1
        seed += 1
    count = seed - first
    rate = count / until.took_s * 60
    print(
        f"{count:,} histories ({rate:,.0f} a minute) from seed {first} on, {executions:,} executions, {starts:,} attempts: "
        "nothing is wrong"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
