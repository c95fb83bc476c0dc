"""What is measured, as values: a work, the programs that do it, what is asked of batchwork, and the figures of one run.

In commands and files `{batchwork}`, `{python}`, `{peers}` (a Python that has the peers) and the names that the work itself
gives, such as `{port}`, are filled in when a contender's turn comes.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field
from pathlib import Path

Command = tuple[str, ...]
Looks = Callable[[Path, str], Mapping[str, float]]
"""Checks the folder and the standard output of a run; gives figures of its own."""
Beside = Callable[[], AbstractContextManager[Mapping[str, str]]]
"""What is there while a work is measured (a server, a large file): the names that it gives."""

FLOW = "flow.yaml"
LEAST = 40
"""Items that a work has at least."""
RUN = ("{batchwork}", "run", FLOW, "--json", "--progress", "off")
PEERS = str(Path(__file__).resolve().parents[1] / "peers")


def no_figures(_folder: Path, _output: str) -> Mapping[str, float]:
    """Exit code 0 says enough."""
    return {}


@dataclass(frozen=True, slots=True)
class Contender:
    """A program that does a work: `before` is run first and not measured, `needs` are modules and programs that it needs.

    Without a command it is what arithmetic allows, `ideal_s`. `least`: how many times as fast batchwork shall be.
    """

    name: str
    command: Command = ()
    files: Mapping[str, str] = field(default_factory=dict)
    needs: tuple[str, ...] = ()
    before: tuple[Command, ...] = ()
    looks: Looks = no_figures
    ideal_s: float = 0.0
    least: float | None = None


@dataclass(frozen=True, slots=True)
class Way:
    """How a work is measured: turns in each round, whether the best run counts instead of the median, and for what figures are."""

    turns: int = 1
    best: bool = False
    per_run: bool = False


@dataclass(frozen=True, slots=True)
class Work:
    """`asked`: what a figure of batchwork may be at most."""

    name: str
    title: str
    count: int
    ours: Contender
    peers: tuple[Contender, ...] = ()
    asked: Mapping[str, float] = field(default_factory=dict)
    beside: Beside = nullcontext  # type: ignore[assignment]
    way: Way = Way()


@dataclass(frozen=True, slots=True)
class Sample:
    """One run: seconds by the clock and of CPU, peaks of memory in MiB, the load at its end, figures of its own.

    `others`: how many cores all else on the machine used meanwhile.
    """

    seconds: float
    cpu_s: float
    rss_main: float = 0.0
    rss_tree: float = 0.0
    load: float = 0.0
    others: float = 0.0
    figures: Mapping[str, float] = field(default_factory=dict)


def part(count: int, share: float) -> int:
    """This share of the items, but not so few that nothing could be seen."""
    return min(count, max(LEAST, round(count * share)))


def filled(text: str, names: Mapping[str, str]) -> str:
    """The text with `{name}` replaced; other braces stay."""
    for name, value in names.items():
        text = text.replace("{" + name + "}", value)
    return text


def ours(flow: str, looks: Looks, before: tuple[Command, ...] = (), command: Command = RUN) -> Contender:
    """batchwork with a workflow."""
    return Contender("batchwork", command, {FLOW: flow}, before=before, looks=looks)


def python_peer(name: str, script: str, *arguments: object, least: float | None = None, needs: str = "") -> Contender:
    """A program of the folder of peers."""
    command = ("{peers}", f"{PEERS}/{script}", *map(str, arguments))
    return Contender(name, command, needs=(f"module {needs}",) if needs else (), least=least)


def counted(step: str = "work", more: Looks = no_figures, **expected: int) -> Looks:
    """Looks whether the summary on standard output counts for the step what is expected."""

    def look(folder: Path, output: str) -> Mapping[str, float]:
        counts = json.loads(output)["steps"][step]["counts"]
        found = {name: counts[name] for name in expected}
        assert found == expected, f"{found} instead of {expected}"
        return more(folder, output)

    return look
