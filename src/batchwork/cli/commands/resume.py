"""`batchwork resume`: go on with a run, or say what that would do. What it means is the engine's."""

from __future__ import annotations

import click

from batchwork.cli.options import Command, accept_option, parallel_option, run_argument, store_option
from batchwork.cli.watching import watching_options


@click.command("resume", cls=Command)
@run_argument
@click.option("--plan", "explained", is_flag=True, help="Print what would happen and why, and do nothing.")
@accept_option
@parallel_option
@store_option
@watching_options
def resume_command(
    run: str | None,
    explained: bool,
    accept_changes: bool,
    max_parallel: int | None,
    store: str | None,
    progress: str,
    quiet: bool,
    as_json: bool,
    allow_failures: bool,
) -> int:
    """Continue RUN (the latest run by default) after a crash, a Ctrl-C or a failed step.

    Nothing that is recorded runs again. In a failed step, failed items get fresh attempts.
    """
    from batchwork.cli.assemble import Watch, explain, resume

    if explained:
        from batchwork.cli.output import Output

        out = Output()
        for line in explain(run, store, accept_changes):
            out.line(line)
        out.flush()
        return 0
    return resume(run, store, Watch(progress, quiet, as_json, allow_failures), accept_changes, max_parallel)
