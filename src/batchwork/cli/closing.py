"""What is said at the end of a run and in `status`: the table, the most frequent failures, what to do next. Lines only."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from itertools import chain, islice
from typing import TYPE_CHECKING

from msgspec import Struct

from batchwork.cli.failures import all_failures, group_lines
from batchwork.model import BAD_ROW, RunStatus, StepRecord
from batchwork.ports.store import Store
from batchwork.report import CRASHED, Summary, summary_text
from batchwork.text.wording import number, plural

if TYPE_CHECKING:
    from batchwork.text.alike import Alike

TOP = 3
FAILURES_MAX = 10_000
"""Failures that are read for the grouping at the end of a run; `batchwork errors` reads all."""

_RESUMES: dict[str, str] = {
    CRASHED: "continue after the crash",
    RunStatus.INTERRUPTED: "continue",
    RunStatus.FAILED: "continue, once the cause is fixed",
}


def closing_lines(summary: Summary, store: Store, steps: Sequence[StepRecord], where: str | None) -> Iterator[str]:
    """The end of a run, for people. `where` is what `--store` was given."""
    failed = first_failures(store, steps)
    yield summary_text(summary)
    yield from failure_lines(failed, where, summary.run)
    yield from next_lines(summary, failed, where)


class Failed(Struct, frozen=True):
    """The failures of a run, alike ones together. `cut`: there are more than were read."""

    groups: Sequence[Alike] = ()
    cut: bool = False

    def bad_rows(self) -> int:
        """Failures that are rows which could not be read."""
        return sum(alike.count for alike in self.groups if alike.type == BAD_ROW)

    def count(self) -> int:
        return sum(alike.count for alike in self.groups)


def first_failures(store: Store, steps: Sequence[StepRecord]) -> Failed:
    """The first failures of a run, grouped."""
    source = all_failures(store, steps)
    found = islice(source, FAILURES_MAX)
    first = next(found, None)
    if first is None:
        return Failed()
    from batchwork.text.alike import group

    groups = group(chain([first], found))
    return Failed(groups, next(source, None) is not None)


def failure_lines(failed: Failed, where: str | None, run: str) -> Iterator[str]:
    """The most frequent failures of a run."""
    if not failed.groups:
        return
    yield ""
    yield from group_lines(failed.groups[:TOP])
    rest = len(failed.groups) - TOP
    if rest > 0:
        yield f"… and {plural(rest, 'more kind')} of failure: `{command('errors', run, where)}`"
    if failed.cut:
        yield f"… of the first {number(FAILURES_MAX)} failures; `{command('errors', run, where)}` reads all"


def next_lines(summary: Summary, failed: Failed, where: str | None) -> Iterator[str]:
    """What can be done now."""
    steps = list(_next_steps(summary, failed))
    if not steps:
        return
    yield ""
    commands = [command(verb, summary.run, where) for verb, _ in steps]
    width = max(map(len, commands))
    for text, (_, what) in zip(commands, steps, strict=True):
        yield f"  {text.ljust(width)}   {what}"


def _next_steps(summary: Summary, failed: Failed) -> Iterator[tuple[str, str]]:
    """Commands that go on from here, and what each is for."""
    if summary.status in _RESUMES:
        yield "resume", _RESUMES[summary.status]
    if summary.total().failed:
        if summary.status in (RunStatus.PARTIAL, RunStatus.SUCCEEDED):
            yield from _retries(failed)
        yield "errors", "see all failures"
    if any(step.stale for step in summary.steps):
        yield "retry --downstream", "run the stale steps again"


def _retries(failed: Failed) -> Iterator[tuple[str, str]]:
    """What runs failed items again; a row that could not be read has no value to run again with, so it must be mended first."""
    bad = failed.bad_rows()
    if bad < failed.count():
        yield "retry", "run the failed items again"
    if bad:
        yield "retry --reread", "read the rows again, once they are mended"


def command(verb: str, run: str, where: str | None) -> str:
    """A command to type: `batchwork retry RUN`."""
    name, *options = verb.split()
    if where:
        from batchwork.store import shown

        options += ["--store", shown(where)]
    return shlex.join(["batchwork", name, run, *options])
