"""The table of works, what is possible, peers and batchwork: printed, and with --page kept in a page.

usage: python benchmarks/bench_table.py [--only NAME,NAME] [--rounds N] [--share 0.1] [--page docs/performance.md]
"""

from __future__ import annotations

import argparse
from pathlib import Path

from catalogue import works
from contest.alone import machine, measured
from contest.table import merged, plain


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", default="", help="names of works, with commas or spaces between")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument(
        "--share", type=float, default=1.0, help="this share of the items of each work: to try, not to quote"
    )
    parser.add_argument(
        "--page", type=Path, help="put the rows into this page, in place of older ones of the same works"
    )
    return parser.parse_args()


def main() -> None:
    given = options()
    if given.page and given.share != 1.0:
        raise SystemExit("a page keeps figures of whole works: leave out --share")
    print(machine())
    table = []
    for found in measured(works, given.only.replace(",", " ").split(), given.rounds, given.share):
        table += found
        if given.page:  # after each work: who stops in the middle keeps what there is
            titles = [work.title for work in works(given.share)]
            given.page.write_text(merged(given.page.read_text(), found, titles))
    print(plain(table))


if __name__ == "__main__":
    main()
