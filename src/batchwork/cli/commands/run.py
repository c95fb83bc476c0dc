"""`batchwork run`: from the command line to a started run."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Literal

import click

from batchwork.cli.options import (
    F,
    HelpfulCommand,
    accept_option,
    nodes_options,
    parallel_option,
    store_option,
    watching_options,
)
from batchwork.cli.workflow import remarks, workflow_arguments
from batchwork.errors import NothingStored, UsageError
from batchwork.plan.model import Plan

if TYPE_CHECKING:
    from batchwork.engine.run.request import Nodes


def _later(ctx: click.Context, parameter: click.Parameter, value: object) -> None:
    if value is not None:
        raise click.UsageError(f"`{parameter.opts[0]}` comes in a later version.", ctx)


def _later_options(command: F) -> F:
    for name in ("--step", "--sample"):
        option: Callable[[F], F] = click.option(name, hidden=True, expose_value=False, callback=_later)
        command = option(command)
    return command


@click.command("run", cls=HelpfulCommand)
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
    help="Continue the latest unfinished run of this workflow with the same parameters; start one if there is none.",
)
@accept_option
@nodes_options
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
    accept_changes: bool,
    progress: str,
    quiet: bool,
    as_json: bool,
    allow_failures: bool,
    nodes: Nodes | None,
) -> int:
    """Run WORKFLOW, a YAML file. Values of parameters are YAML: limit=50 names=[a,b] source=users.jsonl

    Results and the summary go to standard output, everything else to standard error.
    """
    from batchwork.compose import Watch, read_plan, stored_plan
    from batchwork.engine.run.request import check_run_id

    if run_id is not None:
        check_run_id(run_id)
    if accept_changes and not go_on:
        raise UsageError("`--accept-changes` is for a run that goes on", "add `--resume`")
    plan = read_plan(workflow, given, params_file)
    if dry_run:
        from batchwork.cli.commands.plan import show_plan

        show_plan(plan)
        return 0
    from batchwork.cli.execute import execute, stored_durability
    from batchwork.engine.run.lifecycle import RunRequest, resume_run, start_run

    watch = Watch(progress, quiet, as_json)
    if not quiet:
        remarks(plan, decisions=False)
    unfinished = _unfinished(plan, store, run_id) if go_on or run_id is not None else None
    if go_on and unfinished is not None:
        request = RunRequest(
            max_parallel=max_parallel, allow_failures=allow_failures, accept_changes=accept_changes, nodes=nodes
        )
        kept = stored_durability(unfinished, store)
        return execute(
            store,
            kept,
            watch,
            lambda backends, control: resume_run(unfinished, stored_plan, backends, request, control),
            purpose="resume",
        )
    request = RunRequest(run_id, max_parallel, durability, allow_failures, nodes=nodes)
    return execute(store, durability, watch, lambda backends, control: start_run(plan, backends, request, control))


def _unfinished(plan: Plan, store: str | None, run_id: str | None) -> str | None:
    """The run to go on with, if there is one. Raises RunRefused."""
    import os

    from batchwork.cli.look import looking
    from batchwork.compose import is_store
    from batchwork.engine.run.find_run import named_run, unfinished_run

    if not is_store(store):
        return None
    try:
        with looking(store) as opened:
            if run_id is not None:
                return named_run(opened.run(run_id), plan, os.environ)
            return unfinished_run(opened.runs(), plan, os.environ)
    except NothingStored:  # a first run ended before it had recorded anything
        return None
