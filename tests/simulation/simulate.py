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
    asked = parser.parse_args()
    with simulated() as folder:
        if asked.seed is not None:
            return one(asked.seed, folder)
        first = asked.first if asked.first is not None else int.from_bytes(os.urandom(4))
        return many(first, asked.minutes * 60, folder)


def one(seed: int, folder: str) -> int:
    """Tell the story of a seed."""
    history = History(seed, folder)
    wrong = history.happen()
    print(history.story())
    print(f"seed {seed}: {wrong or 'nothing is wrong'}")
    return int(wrong is not None)


def many(first: int, seconds: float, folder: str) -> int:
    """Histories from a seed on, until the time is over or something is wrong."""
    began, seed, executions, starts = time.monotonic(), first, 0, 0
    while time.monotonic() - began < seconds:
        history = History(seed, folder)
        wrong = history.happen()
        executions, starts = executions + history.executions, starts + history.starts
        if wrong is not None:
            print(history.story())
            print(f"seed {seed}: {wrong}")
            return 1
        seed += 1
    took = time.monotonic() - began
    count = seed - first
    print(
        f"{count:,} histories ({count / took * 60:,.0f} a minute), {executions:,} executions, {starts:,} attempts, from seed {first} on: nothing is wrong"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
