"""No-op Python items from a CSV file, beside Python's own reading of the file and nothing else.

usage: python benchmarks/csv_items.py [ROUNDS]
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from contest.alone import alone
from contest.works import Beside, Contender, Work, counted, ours, part

FLOW = """
steps:
  - name: work
    task: batch
    inputs:
      items: {from: csv, path: "{rows}"}
      key: "{{ item.id }}"
      max_parallel: 2
      task: {type: python, code: "return None"}
"""
READ = "import csv, sys; print(sum(1 for _ in csv.DictReader(open(sys.argv[1], newline='', encoding='utf-8'))))"


def works(share: float = 1.0) -> Iterator[Work]:
    """A million rows of five columns."""
    count = part(1_000_000, share)
    yield Work(
        "csv",
        f"{count:,} rows of CSV with a key",
        count,
        ours(FLOW, counted(succeeded=count)),
        (Contender("csv.DictReader, which does nothing with the rows", ("{python}", "-c", READ, "{rows}")),),
        beside=rows(count),
    )


def rows(count: int) -> Beside:
    """The file with so many rows."""

    @contextmanager
    def beside() -> Iterator[Mapping[str, str]]:
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder, "rows.csv")
            with path.open("w", encoding="utf-8") as file:
                file.write("id,name,zip,city,amount\n")
                file.writelines(
                    f"{number},name {number},0{number % 10_000:04},Bern,{number * 3.5}\n" for number in range(count)
                )
            yield {"rows": str(path)}

    return beside


if __name__ == "__main__":
    alone(works)
