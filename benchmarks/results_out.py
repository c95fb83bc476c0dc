"""A million results with four fields to a file, beside the library's own writing of the same columns.

usage: python benchmarks/results_out.py [ROUNDS]
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

from contest.alone import alone
from contest.works import FLOW, Contender, Work, part

TEXT = """
steps:
  - name: s
    task: batch
    inputs:
      items: {{from: range, stop: {count}}}
      max_parallel: 2
      task:
        type: python
        code: "return {{'n': item, 'half': item / 2, 'name': 'v%d' % item, 'ok': item % 2 == 0}}"
"""
PARQUET = """
import sys
import pyarrow
import pyarrow.parquet
count, writer = int(sys.argv[1]), None
for start in range(0, count, 100_000):
    part = range(start, min(count, start + 100_000))
    columns = {"index": list(part), "key": [str(at) for at in part], "status": ["succeeded"] * len(part), "n": list(part)}
    columns |= {"half": [at / 2 for at in part], "name": ["v%d" % at for at in part], "ok": [at % 2 == 0 for at in part]}
    table = pyarrow.table(columns)
    writer = writer or pyarrow.parquet.ParquetWriter("own.parquet", table.schema)
    writer.write_table(table)
writer.close()
"""
CSV = """
import csv, sys
with open("own.csv", "w", newline="") as file:
    out = csv.writer(file)
    out.writerow(["index", "key", "status", "n", "half", "name", "ok"])
    for at in range(int(sys.argv[1])):
        out.writerow([at, str(at), "succeeded", at, at / 2, "v%d" % at, at % 2 == 0])
"""


def works(share: float = 1.0) -> Iterator[Work]:
    """To Parquet and to CSV."""
    count = part(1_000_000, share)
    yield written("results-parquet", "results to Parquet", count, ("parquet", PARQUET, "pyarrow"))
    yield written("results-csv", "results to CSV", count, ("csv", CSV, "csv"))


def written(name: str, title: str, count: int, how: tuple[str, str, str]) -> Work:
    """The run is not measured, the export is. `how`: the ending, the program of the peer, what it is called."""
    ending, program, peer = how

    def looks(folder: Path, _output: str) -> Mapping[str, float]:
        assert (folder / f"t.{ending}").stat().st_size > count, "there is too little in the file"
        return {}

    run = ("{batchwork}", "run", FLOW, "--quiet")
    ours = Contender(
        "batchwork",
        ("{batchwork}", "results", "-o", f"t.{ending}"),
        {FLOW: TEXT.format(count=count)},
        (),
        (run,),
        looks,
    )
    own = Contender(peer, ("{python}", "-c", program, str(count)), least=1 / 3 if ending == "parquet" else None)
    return Work(name, title, count, ours, (own,))


if __name__ == "__main__":
    alone(works)
