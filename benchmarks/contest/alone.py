"""One benchmark by itself: the rows of its works, as text. What all commands of the benchmarks share about the machine is here too."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path

from contest.checkouts import ROOT
from contest.table import Row, When, plain, rows
from contest.turns import WARM, Entrant, NoFigureError, bytecode, compete, one_run
from contest.works import Work

Works = Callable[[float], Iterable[Work]]
PEERS_PYTHON = ROOT / ".bench" / "bin" / "python"
"""The environment that `make bench` fills; without it the peers that need packages are not installed."""


def names(batchwork: str = "") -> Mapping[str, str]:
    """What is filled in for every contender."""
    peers = PEERS_PYTHON if PEERS_PYTHON.exists() else Path(sys.executable)
    own = str(Path(sys.executable).with_name("batchwork"))
    return {"batchwork": batchwork or own, "python": sys.executable, "peers": str(peers)}


def machine() -> str:
    """The machine in words, without its name."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    system = f"{os.uname().sysname} {'.'.join(os.uname().release.split('.')[:2])}"
    return f"{os.cpu_count()} cores, {memory:.0f} GiB of memory, {system}, Python {'.'.join(map(str, sys.version_info[:3]))}"


def when(rounds: int) -> When:
    """Today."""
    return When(time.strftime("%-d %b %Y"), rounds)


def chosen(works: Iterable[Work], only: Sequence[str]) -> list[Work]:
    """The works of these names (all, if there are none). Raises SystemExit where there is no such work."""
    found = list(works)
    known = {work.name for work in found}
    if unknown := set(only) - known:
        raise SystemExit(f"there is no benchmark {', '.join(sorted(unknown))}; there are: {' '.join(sorted(known))}")
    return [work for work in found if not only or work.name in only]


def warm(works: Iterable[Work], entrants: Callable[[Work], Sequence[Entrant]]) -> None:
    """Run each entrant of small works once, so that everything that they import is compiled. What cannot run says so later."""
    for work in works:
        with work.beside() as more:
            for entrant in entrants(work):
                try:
                    one_run(entrant.contender, {**entrant.names, **(more or {})})
                except NoFigureError:
                    continue


def all_of(work: Work) -> list[Entrant]:
    """batchwork and its peers."""
    return [Entrant(contender.name, contender, names()) for contender in (*work.peers, work.ours)]


def measured(works: Works, only: Sequence[str], rounds: int, share: float = 1.0) -> Iterable[list[Row]]:
    """The rows of each work."""
    with bytecode():
        warm(chosen(works(WARM), only), all_of)
        for work in chosen(works(share), only):
            yield rows(work, compete(work, all_of(work), rounds), when(rounds))


def alone(works: Works) -> None:
    """Measure in so many rounds as the command line says (3), and print."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    print(machine())
    print(plain([row for found in measured(works, (), rounds) for row in found]))
