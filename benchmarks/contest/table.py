"""The table of figures as text: a row for each work and peer, and for each limit that is asked of batchwork. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from contest.figures import Beside, beside, cpu, load, others, own_figures, seconds, typical
from contest.turns import Figures
from contest.works import Contender, Sample, Work

HEAD = ("work", "beside", "its figure", "batchwork", "by the clock", "by CPU", "asked", "measured")
NO_PEER = "–"
BEGIN, END = "<!-- table -->", "<!-- end of table -->"
Row = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class When:
    """When and how often it was measured."""

    date: str
    rounds: int

    def said(self, samples: Sequence[Sample]) -> str:
        """The last cell of a row."""
        times = "1 round" if self.rounds == 1 else f"{self.rounds} rounds"
        return f"{self.date}, {times}, load {load(samples):.1f}, others {others(samples):.1f} cores"


def rows(work: Work, found: Mapping[str, Figures], when: When) -> list[Row]:
    """The rows of a work; `found` has the figures of each contender by name."""
    ours = found[work.ours.name]
    if not ours.samples:
        return [(work.title, NO_PEER, "", ours.why_not, "", "", "", when.date)]
    said = figure(work, ours.samples, work.count)
    table = [_beside(work, peer, found, said, when) for peer in work.peers]
    own = own_figures(work, ours.samples)
    asked = [
        (work.title, NO_PEER, "", _value(own[name], name), "", "", verdict(own[name] <= most, f"≤ {most:g}"), "")
        for name, most in work.asked.items()
    ]
    if not table:
        table = [(work.title, NO_PEER, "", said, "", "", "", when.said(ours.samples))]
    return table + asked


def _beside(work: Work, peer: Contender, found: Mapping[str, Figures], said: str, when: When) -> Row:
    figures, ours = found[peer.name], found[work.ours.name].samples
    if not figures.samples:
        return (work.title, peer.name, figures.why_not, said, "", "", "", when.said(ours))
    by = beside(ours, figures.samples, work.way)
    theirs = figure(work, figures.samples, work.count)
    by_cpu = f"{by.cpu:.2f}"
    if not peer.command:
        theirs, by_cpu = f"{peer.ideal_s:.2f} s", ""
    return (work.title, peer.name, theirs, said, f"{by.clock:.2f}", by_cpu, _asked(peer, by), when.said(ours))


def _asked(peer: Contender, by: Beside) -> str:
    if peer.least is None:
        return ""
    deciding = by.deciding if peer.command else by.clock
    return verdict(deciding >= peer.least, f"≥ {peer.least:.2f}")


def verdict(met: bool, asked: str) -> str:
    return f"{asked}: met" if met else f"{asked}: **not met**"


def figure(work: Work, samples: Sequence[Sample], count: int) -> str:
    """A contender's speed in words."""
    took, worked = typical(samples, seconds, work.way), typical(samples, cpu, work.way)
    if work.way.per_run:
        return f"{took * 1000:.0f} ms, CPU {worked * 1000:.0f} ms"
    return f"{short(count / took)} items/s, CPU {_digits(worked / count * 1e6)} µs, {max(s.rss_tree for s in samples):.0f} MiB"


def _value(value: float, name: str) -> str:
    return f"{_digits(value)} {name}"


def _digits(value: float) -> str:
    """Three digits, or the whole number."""
    return f"{value:.3g}" if value < 999.5 else f"{value:,.0f}"


def short(number: float) -> str:
    """A number of items, with three digits or so."""
    if number >= 10_000:
        return f"{number / 1000:,.0f} k"
    return f"{number:,.0f}"


def markdown(table: Sequence[Row], head: Row = HEAD) -> str:
    """The table as Markdown."""
    lines = [head, tuple("---" for _ in head), *table]
    return "".join(f"| {' | '.join(cells)} |\n" for cells in lines)


def plain(table: Sequence[Row]) -> str:
    """The table for a terminal: a line for each work, those of its peers and limits below it."""
    return "\n".join(_lines(table)) + "\n"


def _lines(table: Sequence[Row]) -> Iterator[str]:
    width = max((len(row[1]) for row in table), default=0)
    before = ""
    for work, peer, theirs, batchwork, clock, by_cpu, asked, when in table:
        if work != before:
            yield f"{work}: {batchwork} ({when})"
        before = work
        times = ", ".join(f"{ratio} {how}" for ratio, how in ((clock, "by the clock"), (by_cpu, "by CPU")) if ratio)
        if peer != NO_PEER:
            yield f"    {peer:<{width}}  {theirs:<40}  {times:<30}  {asked}".rstrip()
        elif asked:
            yield f"    {batchwork}  {asked}"


def merged(page: str, table: Sequence[Row], order: Sequence[str], columns: Row = HEAD) -> str:
    """The page with these rows in place of older ones of the same title; titles stand in the given order, others are dropped."""
    head, rest = page.split(BEGIN, 1)
    old, tail = rest.split(END, 1)
    fresh = {row[0] for row in table}
    kept = [row for row in read(old) if row[0] not in fresh and row[0] in order]
    whole = sorted([*kept, *table], key=lambda row: order.index(row[0]))
    return f"{head}{BEGIN}\n\n{markdown(whole, columns)}\n{END}{tail}"


def read(text: str) -> list[Row]:
    """The rows of a table in Markdown, without its head."""
    lines = [line.strip().strip("|") for line in text.splitlines() if line.startswith("|")]
    return [tuple(cell.strip() for cell in line.split("|")) for line in lines[2:]]
