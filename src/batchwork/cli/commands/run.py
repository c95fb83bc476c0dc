"""`batchwork run`: from the command line to a started run. What is put together for it is in assemble.py."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, NoReturn

import click

from batchwork.cli.options import Command, F, parallel_option, store_option
from batchwork.cli.reading import workflow_arguments
from batchwork.cli.watching import watching_options
from batchwork.errors import UsageError


def _later(ctx: click.Context, parameter: click.Parameter, value: object) -> None:
    if value is not None:
        raise click.UsageError(f"`{parameter.opts[0]}` comes later; it is not in this version.", ctx)


def _later_options(command: F) -> F:
    for name in ("--step", "--sample", "--executor"):
        option: Callable[[F], F] = click.option(name, hidden=True, expose_value=False, callback=_later)
        command = option(command)
    return command


@click.command("run", cls=Command)
@workflow_arguments
@click.option("--run-id", metavar="ID", help="Name of the run: letters, digits, `.`, `_`, `-`. Default: date, time.")
@store_option
@parallel_option
@click.option(
    "--durability",
    type=click.Choice(("full", "fast")),
    default="full",
    help="full: nothing recorded is lost in a power cut; fast: perhaps the last second. Default: full.",
)
@click.option("--dry-run", is_flag=True, help="Show what would be done, as `batchwork plan` does, and do nothing.")
@click.option(
    "--resume",
    "go_on",
    is_flag=True,
    help="Continue the latest run of this workflow if it is unfinished; else start one.",
)
@watching_options
@_later_options
def run_command(
    workflow: str,
    given: tuple[str, ...],
    params_file: str | None,
    run_id: str | None,
    store: str | None,
    max_parallel: int | None,
    durability: Literal["full", "fast"],
    dry_run: bool,
    go_on: bool,
    progress: str,
    quiet: bool,
    as_json: bool,
    allow_failures: bool,
) -> int:
    """Run WORKFLOW, a YAML file. Values of parameters are YAML: limit=50 names=[a,b] source=users.jsonl

    Results and the summary go to standard output, everything else to standard error.
    """
    if run_id is not None and not re.fullmatch(r"[A-Za-z0-9_-][A-Za-z0-9._-]{0,63}", run_id):
        _refuse_id(run_id)
    from batchwork.cli.reading import read_plan

    plan = read_plan(workflow, given, params_file)
    if dry_run:
        from batchwork.cli.commands.plan import show_plan

        show_plan(plan)
        return 0
    from batchwork.cli.assemble import Watch, start, unfinished
    from batchwork.cli.reading import remarks

    watch = Watch(progress, quiet, as_json, allow_failures)
    if not quiet:
        remarks(plan, decisions=False)
    if go_on:
        found = unfinished(plan, store, run_id)
        if found is not None:
            from batchwork.cli.assemble import resume

            return resume(found, store, watch, accept_changes=False, max_parallel=max_parallel)
    return start(plan, store, watch, run_id, durability, max_parallel)


def _refuse_id(run_id: str) -> NoReturn:
    raise UsageError(
        f"`{run_id}` cannot be the name of a run", "use 1 to 64 letters, digits, `.`, `_`, `-`, without a dot in front"
    )
