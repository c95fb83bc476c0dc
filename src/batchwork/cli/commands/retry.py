"""`batchwork retry`: fresh attempts for failed items. What it means is the engine's."""

from __future__ import annotations

import click

from batchwork.cli.options import Command, accept_option, parallel_option, run_argument, store_option
from batchwork.cli.watching import watching_options


@click.command("retry", cls=Command)
@run_argument
@click.option(
    "--where",
    "expression",
    metavar="EXPR",
    help='Only failed items for which this is true, for example "error.type == \'timeout\'" or "item.id < 10". '
    "Default: all failed items.",
)
@click.option("--downstream", is_flag=True, help="Also run the steps again that come after. Default: marked as stale.")
@accept_option
@parallel_option
@store_option
@watching_options
def retry_command(
    run: str | None,
    expression: str | None,
    downstream: bool,
    accept_changes: bool,
    max_parallel: int | None,
    store: str | None,
    progress: str,
    quiet: bool,
    as_json: bool,
    allow_failures: bool,
) -> int:
    """Run the failed items of RUN (the latest run by default) again, all or a chosen part."""
    from batchwork.cli.assemble import Watch, retry

    watch = Watch(progress, quiet, as_json, allow_failures)
    return retry(run, store, watch, expression, downstream, accept_changes, max_parallel)
