"""This checkout, as it stands, beside another commit: the same works in turns; exit 1 where something takes 10 % more, 2 where it cannot be known.

usage: python benchmarks/bench_compare.py BASE [--only NAME,NAME] [--rounds N] [--share 0.1] [--by PERCENT]
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from catalogue import works
from contest.alone import chosen, machine, names, warm
from contest.checkouts import ROOT, checkout, installed, named
from contest.turns import WARM, Entrant, bytecode, compete
from contest.verdict import Change, change, lines
from contest.works import Work

BEFORE, NOW = "before", "now"


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("base", help="a commit, a branch or a tag")
    parser.add_argument("--only", default="", help="names of works, with commas or spaces between")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--share", type=float, default=0.1, help="the share of the items of each work")
    parser.add_argument("--by", type=float, default=10, help="the change that counts, in percent")
    return parser.parse_args()


def compared(given: argparse.Namespace, commands: dict[str, str]) -> tuple[list[Change], list[str]]:
    """What changed in each work, and where there is nothing to compare."""
    only = given.only.replace(",", " ").split()

    def both(work: Work) -> Sequence[Entrant]:
        return [Entrant(label, work.ours, names(command)) for label, command in commands.items()]

    changes, failed = [], []
    with bytecode():
        warm(chosen(works(WARM), only), both)
        for work in chosen(works(given.share), only):
            found = compete(work, both(work), given.rounds)
            without = [
                f"{work.name}: {label}: {figures.why_not}" for label, figures in found.items() if figures.why_not
            ]
            failed += without
            if not without:
                changes.append(change(work.name, found[BEFORE].samples, found[NOW].samples, work.way))
    return changes, failed


def main() -> int:
    given = options()
    print(f"{machine()}; before: {named(given.base)}")
    with checkout(given.base) as tree, tempfile.TemporaryDirectory(prefix="bench-venvs-") as folder:
        commands = {
            BEFORE: installed(tree, Path(folder, BEFORE)),
            NOW: installed(ROOT, Path(folder, NOW)),
        }
        changes, failed = compared(given, commands)
    by = given.by / 100
    print("\n".join(lines(changes, failed, by)))
    if any(found.is_worse(by) for found in changes):
        return 1
    return 2 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
