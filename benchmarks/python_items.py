"""Python items as they are in life: rows of a file, failures, strict order, a millisecond each, a slow one among quick ones.

usage: python benchmarks/python_items.py [ROUNDS]
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path

from contest.alone import alone
from contest.works import Beside, Contender, Work, counted, ours, part, python_peer

FLOW = """
steps:
  - name: work
    task: batch
    inputs:
      items: {items}
      {how}
      continue_on_error: true
      task:
        type: python
        code: |
          {code}
"""
LANES = "max_parallel: 2"
MS = """import hashlib
          hashlib.pbkdf2_hmac("sha256", b"password", b"salt", 5_000)
          return item"""


def numbers(count: int) -> str:
    return f"{{from: range, stop: {count}}}"


def flow(items: str, code: str, how: str = LANES) -> str:
    return FLOW.format(items=items, code=code, how=how)


def works(share: float = 1.0) -> Iterator[Work]:
    """One after another."""
    yield jsonl(part(1_000_000, share))
    yield failing("failing", "1 in 100 failing", part(200_000, share), 100, LANES, 1.3)
    yield failing("strict", "in strict order, every second failing", part(10_000, share), 2, "parallel: false", 2.0)
    yield milliseconds(part(4_000, share))
    yield slow(part(1_000, share))


def jsonl(count: int) -> Work:
    """Rows with a written key."""
    text = flow('{from: jsonl, path: "{rows}"}', "return item['n'] * 2", f'{LANES}\n      key: "{{{{ item.id }}}}"')
    return Work(
        "jsonl",
        f"{count:,} rows of JSON lines with a key",
        count,
        ours(text, counted(succeeded=count)),
        (
            python_peer(
                "ProcessPoolExecutor, json.loads in chunks of 1,000", "pool.py", "row", count, 2, 1000, "{rows}"
            ),
            python_peer(
                "joblib over json.loads", "joblib_map.py", "value", count, 2, "{rows}", least=1.2, needs="joblib"
            ),
        ),
        beside=rows(count),
    )


def rows(count: int) -> Beside:
    """A file of so many rows."""

    @contextmanager
    def there() -> Iterator[Mapping[str, str]]:
        with tempfile.TemporaryDirectory(prefix="bench-rows-") as folder:
            path = Path(folder, "rows.jsonl")
            with path.open("w") as file:
                for number in range(count):
                    row = {"id": f"user-{number}", "n": number, "name": "Ada Lovelace", "tags": ["a", "b"]}
                    file.write(json.dumps(row, separators=(",", ":")) + "\n")
            yield {"rows": str(path)}

    return there


def failing(name: str, said: str, count: int, one_in: int, how: str, times: float) -> Work:
    """Beside the same items of which none fails, for which it may take `times` the time."""
    failed = count // one_in
    code = f"if item % {one_in} == {one_in - 1}: raise ValueError(item)\n          return item"
    none = ours(flow(numbers(count), "return item", how), counted(succeeded=count))
    return Work(
        name,
        f"{count:,} Python items, {said}",
        count,
        ours(flow(numbers(count), code, how), counted(succeeded=count - failed, failed=failed)),
        (replace(none, name="batchwork, none failing", least=1 / times),),
    )


def milliseconds(count: int) -> Work:
    """Each item works for about a millisecond."""
    return Work(
        "ms",
        f"{count:,} Python items of about 1 ms",
        count,
        ours(flow(numbers(count), MS), counted(succeeded=count)),
        (
            python_peer("ProcessPoolExecutor, chunks of 50", "pool.py", "ms", count, 2, 50, least=0.9),
            python_peer("joblib, batch_size=auto", "joblib_map.py", "ms", count, 2, needs="joblib"),
        ),
    )


def slow(count: int) -> Work:
    """Four items sleep, four seconds each if there are a thousand; two workers need the time of two of them."""
    each = 4.0 * count / 1000
    code = f"import time\n          time.sleep({each} if item % {count // 4} == {count // 8} else 0)\n          return item"
    return Work(
        "slow",
        f"{count:,} Python items, four of them slow, 2 workers",
        count,
        ours(flow(numbers(count), code), counted(succeeded=count)),
        (Contender("two slow ones, one after another", ideal_s=2 * each, least=1 / 1.1),),
    )


if __name__ == "__main__":
    alone(works)
