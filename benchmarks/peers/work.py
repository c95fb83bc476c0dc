"""What peers do with an item. A module of its own, so that their processes import it instead of getting its code each time."""

import json
import time


def noop(item):
    return item * 2


def row(line):
    return json.loads(line)["n"] * 2


def value(row):
    return row["n"] * 2


def ms(item):
    """Works for a millisecond."""
    until = time.perf_counter() + 0.001
    while time.perf_counter() < until:
        pass
    return item
