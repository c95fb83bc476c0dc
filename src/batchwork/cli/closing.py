"""What is said at the end of a run and in `status`: the table, the most frequent failures, what to do next. Lines only."""

from __future__ import annotations

import shlex
from collections.abc import Iterator, Sequence
from itertools import chain, islice

from batchwork.cli.look import failures
from batchwork.model import RunStatus, StepRecord
from batchwork.ports.store import Store
from batchwork.report import CRASHED, Summary, summary_text
from batchwork.text.wording import number

TOP = 3
READ_MAX = 10_000
"""Failures that are read for the grouping at the end of a run; `batchwork errors` reads all."""


def closing_lines(summary: Summary, store: Store, steps: Sequence[StepRecord], where: str | None) -> Iterator[str]:
    """The end of a run, for people. `where` is what `--store` was given."""
    yield summary_text(summary)
    yield from failure_lines(store, steps, where, summary.run)
    yield from next_lines(summary, where)


def failure_lines(store: Store, steps: Sequence[StepRecord], where: str | None, run: str) -> Iterator[str]:
    """The most frequent failures of a run, alike ones together."""
    source = failures(store, steps)
    found = islice(source, READ_MAX)
    first = next(found, None)
    if first is None:
        return
    from batchwork.cli.commands.items import group_lines
    from batchwork.text.alike import group

    groups = group(chain([first], found))
    yield ""
    yield from group_lines(groups[:TOP])
    rest = len(groups) - TOP
    if rest > 0:
        yield f"… and {number(rest)} more kind{'s' if rest > 1 else ''} of failure: `{command('errors', run, where)}`"
    if next(source, None) is not None:
        yield f"… of the first {number(READ_MAX)} failures; `{command('errors', run, where)}` reads all"


def next_lines(summary: Summary, where: str | None) -> Iterator[str]:
    """What can be done now."""
    lines = []
    run, failed = summary.run, summary.total().failed
    if summary.status == CRASHED:
        lines.append(("resume", "continue after the crash"))
    elif summary.status == RunStatus.INTERRUPTED:
        lines.append(("resume", "continue"))
    elif summary.status == RunStatus.FAILED:
        lines.append(("resume", "continue, once the cause is mended"))
    if failed:
        if summary.status in (RunStatus.PARTIAL, RunStatus.SUCCEEDED):
            lines.append(("retry", "run the failed items again"))
        lines.append(("errors", "see all failures"))
    if any(step.stale for step in summary.steps):
        lines.append(("retry --downstream", "run the stale steps again"))
    if not lines:
        return
    yield ""
    commands = [command(verb, run, where) for verb, _ in lines]
    width = max(map(len, commands))
    for text, (_, what) in zip(commands, lines, strict=True):
        yield f"  {text.ljust(width)}   {what}"


def command(verb: str, run: str, where: str | None) -> str:
    """A command to type: `batchwork retry RUN`."""
    name, *options = verb.split()
    store = ["--store", where] if where else []
    return shlex.join(["batchwork", name, run, *options, *store])
