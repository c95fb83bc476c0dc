"""`batchwork clean`: forget runs, and give the room that they took back to the disk."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import islice

import click

from batchwork import compose
from batchwork.cli.forgetting import finished_runs, forget, forget_unless_locked, to_forget
from batchwork.cli.options import HelpfulCommand, offered, store_option
from batchwork.clock import SystemClock
from batchwork.engine.run.find_run import find_run
from batchwork.errors import NothingStored, StoreFull, UsageError
from batchwork.model import RunRecord
from batchwork.ports import Store
from batchwork.text.patterns import pattern
from batchwork.text.wording import only_if, plural, size, visible, when
from batchwork.view.streams import Stdout, note
from batchwork.view.table import Column

COLUMNS = (Column("run"), Column("workflow", least=8), Column("status"), Column("ended", spare=True))
_AGE = pattern(r"\s*(\d+(?:\.\d*)?)\s*(s|sec|m|min|h|d|w)\s*\Z", re.IGNORECASE)
_SECONDS = {"s": 1, "sec": 1, "m": 60, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}


class Age(click.ParamType[int]):
    """A text such as 12h, 30d or 2w, as milliseconds."""

    name = "age"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> int:
        match = _AGE.match(value)
        if match is None:
            self.fail(f"{value!r} is no age; say 90m, 12h, 30d or 2w", param, ctx)
        return int(float(match[1]) * _SECONDS[match[2].lower()] * 1000)


@click.command("clean", cls=HelpfulCommand)
@click.argument("runs", nargs=-1, metavar="[RUN ...]", shell_complete=offered("runs"))
@click.option("--keep", type=click.IntRange(0), metavar="N", help="Forget all finished runs but the N latest.")
@click.option("--older", type=Age(), metavar="AGE", help="Forget finished runs that ended so long ago: 12h, 30d, 2w.")
@click.option("--dry-run", is_flag=True, help="Say which runs would be forgotten; change nothing.")
@store_option
def clean_command(runs: Sequence[str], keep: int | None, older: int | None, dry_run: bool, store: str | None) -> None:
    """Forget runs, with all that is recorded of them, their logs and folders.

    --keep and --older choose among runs that have finished: one that was interrupted, paused or killed can be resumed,
    and is forgotten only where it is named. With both, what --keep keeps stays, whatever its age.
    """
    _refuse_both(bool(runs), chosen_by_rule=keep is not None or older is not None)
    out = Stdout()
    try:
        with compose.open_to_clean(store, lambda text: note(f"warning: {text}")) as (opened, folder):
            everything = opened.runs()
            before = None if older is None else SystemClock().wall_ms() - older
            chosen = [find_run(opened, run) for run in dict.fromkeys(runs)] or to_forget(everything, keep or 0, before)
            if dry_run:
                _list(out, chosen)
            else:
                _forget(out, opened, folder, chosen, named=bool(runs))
            if not runs:
                _tell_of_unfinished(everything)
    except NothingStored as error:
        note(error.message)
    out.flush()


def _refuse_both(named: bool, chosen_by_rule: bool) -> None:
    """Insist on one way of saying which runs. Raises UsageError."""
    if named and chosen_by_rule:
        raise UsageError("runs that are named cannot be chosen by `--keep` or `--older` too")
    if not named and not chosen_by_rule:
        raise UsageError("say which runs: their names, or `--keep N`, `--older AGE`, or both of these")


def _list(out: Stdout, chosen: Sequence[RunRecord]) -> None:
    if chosen:
        out.table(COLUMNS, [(run.id, run.name, run.status, when(run.ended_ms or run.created_ms)) for run in chosen])
    out.line(f"{plural(len(chosen), 'run')} would be forgotten")


def _forget(out: Stdout, store: Store, folder: str, chosen: Sequence[RunRecord], *, named: bool) -> None:
    count = 0
    for run in chosen:
        if named:
            forget(store, folder, run.id)
        elif not forget_unless_locked(store, folder, run.id):
            continue
        count += 1
    given = _give_back(store) if count else 0
    out.line(f"{plural(count, 'run')} forgotten{only_if(given, f', {size(given)} given back')}")


def _give_back(store: Store) -> int:
    """How many bytes. Not while runs are going on, which would have to wait for it."""
    if any(run.living for run in store.runs()):
        note("the store does not become smaller while a run goes on; what is free in it is used first")
        return 0
    try:
        return store.give_back()
    except StoreFull as error:
        note(f"warning: there is no room to make the store smaller: {error.message}")
        return 0


def _tell_of_unfinished(records: Sequence[RunRecord]) -> None:
    done = {record.id for record in finished_runs(records)}
    left = [record.id for record in records if record.id not in done and not record.living]
    if left:
        names = ", ".join(visible(name) for name in islice(left, 3)) + only_if(len(left) > 3, ", …")
        note(f"{plural(len(left), 'unfinished run')} kept ({names}): name them to forget them")
