"""Contenders take turns at a work, each run in an empty folder of its own; what a run took, or why there is no figure."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from contest.works import Command, Contender, Sample, Work, filled

TREE = str(Path(__file__).with_name("tree.py"))
LIMIT_S = 900
"""A run that takes longer is ended and has failed."""
WARM = 0.001
"""The share of the items in the first runs, which are not measured: they compile what is imported."""


class NoFigureError(Exception):
    """A contender did not do its work: it ended otherwise than it should, or not with what it should have done."""


@dataclass(frozen=True, slots=True)
class Entrant:
    """A contender by the name under which its figures are kept, with what is filled in for it (`{batchwork}` and such)."""

    label: str
    contender: Contender
    names: Mapping[str, str]


@dataclass(slots=True)
class Figures:
    """What is known of an entrant: its samples in the order of the rounds, or why there are none."""

    samples: list[Sample]
    why_not: str = ""


Tell = Callable[[str], None]


def told(line: str) -> None:
    """Progress, for people."""
    sys.stderr.write(f"  {line}\n")


@contextmanager
def bytecode() -> Iterator[None]:
    """Programs write their bytecode to a folder of its own, also where the machine forbids it, and find no environment but theirs."""
    before = dict(os.environ)
    with tempfile.TemporaryDirectory(prefix="bench-bytecode-") as folder:
        for name in ("PYTHONDONTWRITEBYTECODE", "VIRTUAL_ENV", "BATCHWORK_STORE"):
            os.environ.pop(name, None)
        os.environ["PYTHONPYCACHEPREFIX"] = folder
        try:
            yield
        finally:
            os.environ.clear()
            os.environ.update(before)


def missing(contender: Contender, names: Mapping[str, str]) -> str:
    """What a contender needs and is not installed; "" if nothing."""
    for need in contender.needs:
        kind, name = need.split()
        if kind == "program" and shutil.which(name) is None:
            return name
        if (
            kind == "module"
            and subprocess.run([names["peers"], "-c", f"import {name}"], capture_output=True).returncode
        ):
            return name
    return ""


def one_run(contender: Contender, names: Mapping[str, str]) -> Sample:
    """Run a contender once. Raises NoFigureError."""
    if not contender.command:
        return Sample(contender.ideal_s, contender.ideal_s)
    with tempfile.TemporaryDirectory(prefix="bench-") as path:
        folder = Path(path, "work")
        folder.mkdir()
        for name, text in contender.files.items():
            (folder / name).write_text(filled(text, names))
        for command in contender.before:
            subprocess.run(_words(command, names), cwd=folder, capture_output=True, timeout=LIMIT_S)
        spent, output = _measured(_words(contender.command, names), folder, Path(path))
        try:
            own = contender.looks(folder, output)
        except (AssertionError, ValueError, LookupError, OSError) as error:
            raise NoFigureError(f"{contender.name}: ended with {spent['code']}, {error!r}") from error
    figures = {name: spent[name] for name in ("seconds", "cpu_s", "rss_main", "rss_tree", "others")}
    return Sample(**figures, load=os.getloadavg()[0], figures=own)


def _measured(words: Sequence[str], folder: Path, beside: Path) -> tuple[dict[str, float], str]:
    result = beside / "spent.json"
    with open(beside / "out", "w+") as out, open(beside / "err", "w+") as err:
        command = [sys.executable, "-I", TREE, str(result), str(LIMIT_S), *words]
        subprocess.run(command, cwd=folder, stdin=subprocess.DEVNULL, stdout=out, stderr=err)
        out.seek(0)
        err.seek(0)
        output, errors = out.read(), err.read()
    if not result.exists():
        raise NoFigureError(f"{words[0]} was not run: {errors[-300:]}")
    spent = json.loads(result.read_text())
    if spent["code"] not in {0, 3}:  # 3: some failed, and that is meant
        raise NoFigureError(f"{words[0]} ended with {spent['code']}: {errors[-300:]}")
    return spent, output


def _words(command: Command, names: Mapping[str, str]) -> list[str]:
    return [filled(word, names) for word in command]


def compete(work: Work, entrants: Sequence[Entrant], rounds: int, tell: Tell = told) -> dict[str, Figures]:
    """All entrants, in turns, so that what else happens on the machine touches all alike; every second round backwards."""
    found = {entrant.label: Figures([]) for entrant in entrants}
    with work.beside() as more:
        for number in range(rounds):
            for entrant in turns(entrants, number, work.way.turns):
                figures = found[entrant.label]
                if not figures.why_not:
                    _add(figures, entrant, {**entrant.names, **(more or {})})
            for entrant in entrants:
                tell(f"round {number + 1}, {work.name}: {entrant.label}: {_said(found[entrant.label])}")
    return found


def turns(entrants: Sequence[Entrant], number: int, times: int) -> Iterable[Entrant]:
    """Who runs in a round, in which order."""
    order = list(entrants) if number % 2 == 0 else list(reversed(entrants))
    return order * times


def _add(figures: Figures, entrant: Entrant, names: Mapping[str, str]) -> None:
    if lacks := missing(entrant.contender, names) if not figures.samples else "":
        figures.why_not = f"{lacks} is not installed"
        return
    try:
        figures.samples.append(one_run(entrant.contender, names))
    except NoFigureError as error:
        figures.samples.clear()
        figures.why_not = str(error)


def _said(figures: Figures) -> str:
    if figures.why_not:
        return figures.why_not
    last = figures.samples[-1]
    return f"{last.seconds:.3f} s, CPU {last.cpu_s:.3f} s, others {last.others:.1f} cores"
