"""`batchwork errors`: what failed in a run, similar failures together."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from functools import partial

import click

from batchwork.cli.closing import command
from batchwork.cli.failures import all_failures, group_lines, split_kind
from batchwork.cli.look import looking, the_steps
from batchwork.cli.options import HelpfulCommand, json_option, run_argument, step_option, store_option, where_option
from batchwork.cli.where import chosen_by, picking, within
from batchwork.engine.run.find_run import find_run
from batchwork.model import BAD_ROW
from batchwork.text.alike import Alike, group
from batchwork.text.jsontext import encode
from batchwork.view.streams import Stdout, note


@click.command("errors", cls=HelpfulCommand)
@run_argument
@step_option("Only failures of this step. Default: all steps.")
@where_option("Only failures for which this is true, for example \"error.type == 'timeout'\".")
@json_option("One JSON object a line for each group of similar failures.")
@store_option
def errors_command(run: str | None, step: str | None, where: str | None, as_json: bool, store: str | None) -> None:
    """Show what failed in RUN (the latest run by default), similar failures together."""
    out = Stdout()
    narrowed = None if where is None else partial(chosen_by, where=where)
    with looking(store) as opened:
        record = find_run(opened, run)
        groups = group(all_failures(opened, the_steps(opened, record, step), narrowed))
    for alike in groups:
        picks = picking(alike, groups, within(step, where))
        if as_json:
            out.json(_json_line(alike, picks))
            continue
        for line in group_lines([alike]):
            out.line(line)
        if picks and alike.examples[0][0]:  # a step that failed by itself has no items to be run again
            out.line(f"    {_retry(alike, picks, record.id, store)}")
    out.flush()
    if not groups:
        note(f"nothing failed in run {record.id}")
    elif not as_json:
        note(f"`{command('logs', record.id, store)} KEY` shows one of them; {_again(groups, record.id, store)}")


def _again(groups: Sequence[Alike], run: str, where: str | None) -> str:
    """What runs them again."""
    retry = f"`{command('retry', run, where)}` runs them again"
    bad = [alike.type == BAD_ROW for alike in groups]
    if not any(bad):
        return retry
    reread = f"mend the rows that cannot be read, then `{command('retry --reread', run, where)}` takes them anew"
    return reread if all(bad) else f"{retry}; {reread}"


def _retry(alike: Alike, picks: str, run: str, where: str | None) -> str:
    """The command that runs them again, and no others."""
    verb = "retry --reread" if alike.type == BAD_ROW else "retry"
    plain = f'"{picks}"'
    return f"{command(verb, run, where)} --where {shlex.quote(picks) if _meant_for_shells(picks) else plain}"


def _meant_for_shells(text: str) -> bool:
    """Whether it means something between double quotes."""
    return not set(text).isdisjoint('"$`\\!')


def _json_line(alike: Alike, picks: str) -> str:
    """One line of `errors --json`. `where` is what `retry --where` takes, null where no expression is found."""
    examples = [{"key": key, "message": message} for key, message in alike.examples]
    word, code = split_kind(alike.type)
    shape = {"step": alike.step, "type": word, "code": code, "pattern": alike.pattern, "count": alike.count}
    return encode({**shape, "where": picks or None, "examples": examples})
