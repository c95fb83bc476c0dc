"""`batchwork retry`: fresh attempts for failed items. What it means is the engine's."""

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


@click.command("retry", cls=HelpfulCommand)
@run_argument
@click.option(
    "--where",
    "expression",
    metavar="EXPR",
    help='Only failed items for which this is true, for example "error.type == \'timeout\'" or "item.id < 10". '
    "Default: all failed items.",
)
@click.option(
    "--downstream", is_flag=True, help="Also run again the steps that come after. Default: mark them as stale."
)
@accept_option
@reread_option
@parallel_option
@store_option
@nodes_options
@watching_options
def retry_command(
    run: str | None,
    expression: str | None,
    downstream: bool,
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
    """Run the failed items of RUN (the latest run by default) again, all or a chosen part."""
    from batchwork.cli.execute import execute, stored_durability
    from batchwork.compose import Watch, stored_plan
    from batchwork.engine.run.lifecycle import RetryRequest, retry_run

    request = RetryRequest(
        max_parallel=max_parallel,
        allow_failures=allow_failures,
        accept_changes=accept_changes,
        reread=reread,
        nodes=nodes,
        where=expression,
        downstream=downstream,
    )
    return execute(
        store,
        stored_durability(run, store),
        Watch(progress, quiet, as_json),
        lambda backends, control: retry_run(run, stored_plan, backends, request, control),
        purpose="resume",
    )
