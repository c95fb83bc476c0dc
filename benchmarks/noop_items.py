"""No-op Python items from a range, every one recorded, beside programs that record nothing: speed, peak memory, bytes in the store.

usage: python benchmarks/noop_items.py [ROUNDS]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from contest.alone import alone
from contest.works import Looks, Work, counted, ours, part, python_peer

FLOW = """
steps:
  - name: work
    task: batch
    inputs:
      items: {{from: range, stop: {count}}}
      parallel: true
      max_parallel: 2
      continue_on_error: true
      task: {{type: python, code: "return item * 2"}}
"""


def works(share: float = 1.0) -> Iterator[Work]:
    """A million and ten million items; of the last only batchwork, to see that nothing grows."""
    for name, whole in (("noop", 1_000_000), ("noop-10m", 10_000_000)):
        count = part(whole, share)
        peers = (
            python_peer("a bare ProcessPoolExecutor, chunks of 1,000", "pool.py", "noop", count, 2, 1000),
            python_peer("joblib, batch_size=auto", "joblib_map.py", "noop", count, 2, least=2.0, needs="joblib"),
        )
        yield Work(
            name,
            f"{count:,} Python items that do nothing",
            count,
            ours(FLOW.format(count=count), counted(more=stored(count), succeeded=count)),
            peers if whole < 10_000_000 else (),
            asked={"bytes an item in the store": 35, "MiB itself": 45},
        )


def stored(count: int) -> Looks:
    """Looks at the size of the store."""

    def look(folder: Path, _output: str) -> Mapping[str, float]:
        size = sum(file.stat().st_size for file in Path(folder, ".batchwork").glob("state.db*") if file.is_file())
        return {"bytes an item in the store": size / count}

    return look


if __name__ == "__main__":
    alone(works)
