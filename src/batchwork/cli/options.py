"""What several commands have in common on the command line: `--store`, RUN, `--json`, help. No command is here."""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import TYPE_CHECKING, Any, TypeVar, cast

import click

from batchwork.errors import UsageError
from batchwork.view.choose import PROGRESS
from batchwork.view.streams import Stdout, width

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

    from batchwork.engine.run.request import Nodes

F = TypeVar("F", bound=Callable[..., Any])


class Helpful:
    """Mixed into commands: `--help` that also copes with a standard output that cannot be written."""

    def get_help_option(self, ctx: click.Context) -> click.Option | None:
        return click.Option(
            ctx.help_option_names,
            is_flag=True,
            is_eager=True,
            expose_value=False,
            callback=_show_help,
            help="Show this message and exit.",
        )


class HelpfulCommand(Helpful, click.Command):
    """A command of batchwork."""


def _show_help(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted and not ctx.resilient_parsing:
        # As click would find it out, but without `shutil`, which takes three compressors along.
        ctx.terminal_width = ctx.terminal_width or max(min(width(), ctx.max_content_width or 80) - 2, 50)
        out = Stdout()
        out.line(ctx.get_help())
        out.flush()
        ctx.exit()


def offered(what: str) -> Callable[[click.Context, click.Parameter, str], list[CompletionItem]]:
    """What the shell offers at this place: a function of the module `completing`, which is imported when it is asked."""

    def complete(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        from batchwork.cli import completing

        found: list[CompletionItem] = getattr(completing, what)(ctx, param, incomplete)
        return found

    return complete


def store_option(command: F) -> F:
    """`--store PATH_OR_URL`."""
    return click.option(
        "--store",
        metavar="PATH_OR_URL",
        envvar="BATCHWORK_STORE",
        help="Where state is kept: a folder, a file (x.db) or a URL. Default: $BATCHWORK_STORE, else .batchwork",
    )(command)


def run_argument(command: F) -> F:
    """RUN, the latest run by default."""
    return click.argument("run", required=False, metavar="[RUN]", shell_complete=offered("runs"))(command)


def json_option(help_text: str) -> Callable[[F], F]:
    """`--json`."""
    return click.option("--json", "as_json", is_flag=True, help=help_text)


def step_option(help_text: str) -> Callable[[F], F]:
    """`--step S`."""
    return click.option("--step", "step", metavar="STEP", help=help_text, shell_complete=offered("steps"))


def where_option(help_text: str) -> Callable[[F], F]:
    """`--where EXPR`."""
    return click.option("--where", "where", metavar="EXPR", help=help_text)


def parallel_option(command: F) -> F:
    """`--max-parallel N`."""
    return click.option(
        "--max-parallel",
        type=click.IntRange(1),
        metavar="N",
        help="At most N attempts at once in each step; lowers what the workflow says. Default: what it says.",
    )(command)


def watching_options(command: F) -> F:
    """`--progress`, `--quiet`, `--json`, `--allow-failures`."""
    decorators: list[Callable[[F], F]] = [
        click.option(
            "--progress",
            type=click.Choice(PROGRESS),
            default="auto",
            help="How progress is shown on standard error: bars, plain lines, or events as JSON, one a line. "
            "Default: auto, which is bar on a terminal, else lines.",
        ),
        click.option("--quiet", "-q", is_flag=True, help="No progress, and a summary only if not all succeeded."),
        click.option(
            "--json", "as_json", is_flag=True, help="Standard output holds the summary as JSON, nothing else."
        ),
        click.option("--allow-failures", is_flag=True, help="Exit with 0, not 3, when tolerated items failed."),
    ]
    for decorate in reversed(decorators):
        command = decorate(command)
    return command


def executor_option(command: F) -> F:
    """`--executor`."""
    return click.option(
        "--executor",
        metavar="WHERE",
        envvar="BATCHWORK_EXECUTOR",
        help="Where items run: local, command:COMMAND (with {agent} in it), dask://HOST:PORT or ray://HOST:PORT. "
        "Default: $BATCHWORK_EXECUTOR, else as before, else local.",
    )(command)


def nodes_options(command: F) -> F:
    """`--executor`, `--node-wait`, `--node-lease`, given as one value: `nodes`."""
    decorators: list[Callable[[F], F]] = [
        _as_nodes,
        executor_option,
        click.option(
            "--node-wait",
            type=Seconds(),
            metavar="TIME",
            help="How long to go on without any node, for example 5m. Default: 60s.",
        ),
        click.option(
            "--node-lease",
            type=Seconds(),
            metavar="TIME",
            help="A node that is cut off ends what it does after this time. Default: 10s.",
        ),
    ]
    for decorate in reversed(decorators):
        command = decorate(command)
    return command


def _as_nodes(command: F) -> F:
    @wraps(command)
    def with_nodes(
        *args: Any, executor: str | None, node_wait: float | None, node_lease: float | None, **given: Any
    ) -> Any:
        return command(*args, nodes=_nodes(executor, node_wait, node_lease), **given)

    return cast(F, with_nodes)


def _nodes(executor: str | None, wait_s: float | None, lease_s: float | None) -> Nodes | None:
    """What was said of where items run; None where nothing was. Raises UsageError."""
    if executor is None and wait_s is None and lease_s is None:
        return None
    from batchwork.compose import check_executor
    from batchwork.engine.run.request import Nodes

    usual = Nodes()
    if executor is None:
        raise UsageError(
            "`--node-wait` and `--node-lease` are for runs on nodes", "say where these are, with `--executor`"
        )
    return Nodes(check_executor(executor), wait_s or usual.wait_s, lease_s or usual.lease_s)


class Seconds(click.ParamType[float]):
    """A time: seconds, or a text such as 100ms, 30s, 5m, 2h."""

    name = "time"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if isinstance(value, float):
            return value
        from batchwork.text.durations import seconds_of

        seconds = seconds_of(value)
        if seconds is None or seconds <= 0:
            self.fail(f"`{value}` is no time; write 30s, 5m or 2h", param, ctx)
        return seconds


def reread_option(command: F) -> F:
    """`--reread`."""
    return click.option(
        "--reread",
        is_flag=True,
        help="Items that run again get the values that their source has now, found by key. "
        "Default: those that are recorded.",
    )(command)


def accept_option(command: F) -> F:
    """`--accept-changes`."""
    return click.option(
        "--accept-changes",
        is_flag=True,
        help="Go on although the workflow now does something else; what is done is kept.",
    )(command)
