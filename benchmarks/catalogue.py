"""All works, by the benchmarks that give them."""

from __future__ import annotations

from collections.abc import Iterator

import coming_back
import file_items
import http_items
import noop_items
import python_items
import results_out
import shell_items
import source_rows
import startup
from contest.works import Work

MODULES = (
    noop_items,
    python_items,
    source_rows,
    shell_items,
    http_items,
    file_items,
    startup,
    coming_back,
    results_out,
)


def works(share: float = 1.0) -> Iterator[Work]:
    """Every work, with this share of its items."""
    for module in MODULES:
        yield from module.works(share)
