"""`batchwork resume`: go on with a run, or say what that would do. What it means is the engine's."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from batchwork.cli.options import (
    HelpfulCommand,
    accept_option,
    nodes_options,
    parallel_option,
    reread_option,
    run_argument,
    store_option,
    watching_options,
)

if TYPE_CHECKING:
    from batchwork.engine.run.request import Nodes


@click.command("resume", cls=HelpfulCommand)
@run_argument
@click.option("--plan", "explained", is_flag=True, help="Print what would happen and why, and do nothing.")
@accept_option
@reread_option
@parallel_option
@store_option
@nodes_options
@watching_options
def resume_command(
    run: str | None,
    explained: bool,
    accept_changes: bool,
    reread: bool,
    max_parallel: int | None,
    store: str | None,
    progress: str,
    quiet: bool,
    as_json: bool,
    allow_failures: bool,
    nodes: Nodes | None,
) -> int:
    """Continue RUN (the latest run by default) after a crash, a Ctrl-C or a failed step.

    Nothing that is recorded runs again. In a failed step, failed items get fresh attempts.
    """
    if explained:
        _explain(run, store, accept_changes)
        return 0
    from batchwork.cli.execute import execute, stored_durability
    from batchwork.compose import Watch, stored_plan
    from batchwork.engine.run.lifecycle import RunRequest, resume_run

    request = RunRequest(
        max_parallel=max_parallel,
        allow_failures=allow_failures,
        accept_changes=accept_changes,
        reread=reread,
        nodes=nodes,
    )
    return execute(
        store,
        stored_durability(run, store),
        Watch(progress, quiet, as_json),
        lambda backends, control: resume_run(run, stored_plan, backends, request, control),
        purpose="resume",
    )


def _explain(run: str | None, store: str | None, accept_changes: bool) -> None:
    """Print what would be done."""
    from contextlib import closing

    from batchwork.compose import Watch, backends, stored_plan
    from batchwork.engine.run.lifecycle import RunRequest, explain_resume
    from batchwork.view.streams import Stdout

    out = Stdout()
    with backends(store, "full", Watch(progress="off"), out, purpose="look") as here, closing(here.store):
        lines = explain_resume(run, stored_plan, here, RunRequest(accept_changes=accept_changes))
    for line in lines:
        out.line(line)
    out.flush()
