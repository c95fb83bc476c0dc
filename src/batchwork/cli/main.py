"""The command `batchwork`: its commands, loaded when used, and how errors become messages and exit codes. No command is here."""

from __future__ import annotations

import atexit
import os
import sys
import threading
from importlib import import_module
from typing import TYPE_CHECKING, NoReturn

import click

from batchwork.cli.options import Helpful
from batchwork.errors import BatchworkError, TooManyFiles, UsageError, WorkflowError, lacks_files
from batchwork.text.wording import only_if, plural
from batchwork.view.streams import ReaderGone, Stdout, end_output, note, prepare_streams

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem

BUG_EXIT = 70
"""What shows a traceback; apart from all codes that say something about the run."""
INTERRUPTED_EXIT = 130
WINDOWS = "nt"
"""What Python calls the system without the signals, locks and descriptors that all of this stands on."""

COMMANDS: dict[str, tuple[str, str]] = {
    "init": ("init", "Write a small workflow to begin with."),
    "run": ("run", "Run a workflow."),
    "resume": ("resume", "Continue a run after a crash, a Ctrl-C or a failed step."),
    "retry": ("retry", "Run failed items again."),
    "validate": ("validate", "Check a workflow; runs nothing."),
    "plan": ("plan", "Show what a run would do; runs nothing."),
    "runs": ("runs", "List the runs in the store."),
    "status": ("status", "Show one run: steps, counts, speed."),
    "items": ("items", "List the items of a run."),
    "errors": ("errors", "Show the failures of a run, similar ones together."),
    "logs": ("logs", "Show everything known about one item: attempts, output."),
    "results": ("results", "Export the results of a step."),
    "clean": ("clean", "Forget runs, and give their room back."),
    "tasks": ("tasks", "List the task types and their fields."),
    "sources": ("sources", "List the item sources and their fields."),
    "docs": ("docs", "Print a page of the documentation."),
    "completion": ("completion", "Print what makes a shell complete commands, runs, steps and parameters."),
    "schema": ("schema", "Print a JSON Schema of workflows, for editors."),
}
"""Name → module in batchwork.cli.commands, what it does. The module's function has the command's name and `_command` added."""

COMING = ("cancel", "report", "compare", "serve")


class CommandGroup(Helpful, click.Group):
    """The group; imports a command's module when that command is used."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            return None
        module = import_module(f"batchwork.cli.commands.{COMMANDS[cmd_name][0]}")
        command: click.Command = getattr(module, f"{cmd_name}_command")
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        if args and not args[0].startswith("-") and args[0] not in COMMANDS:
            self._refuse(ctx, args[0])
        return super().resolve_command(ctx, args)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl([(name, what) for name, (_, what) in COMMANDS.items()])

    def shell_complete(self, ctx: click.Context, incomplete: str) -> list[CompletionItem]:
        """The commands, without importing them."""
        from click.shell_completion import CompletionItem

        found = [CompletionItem(name, help=what) for name, (_, what) in COMMANDS.items() if name.startswith(incomplete)]
        return found or click.Command.shell_complete(self, ctx, incomplete)

    def _refuse(self, ctx: click.Context, word: str) -> NoReturn:
        if word in COMING:
            raise click.UsageError(f"`{word}` comes in a later version.", ctx)
        if word.endswith((".yaml", ".yml")):
            raise click.UsageError(f"There is no command `{word}`. Did you mean `batchwork run {word}`?", ctx)
        from batchwork.text.spelling import nearest

        near = nearest(word, COMMANDS)
        hint = only_if(near, f" Did you mean `batchwork {near}`?")
        raise click.UsageError(f"There is no command `{word}`.{hint}", ctx)


def _version(ctx: click.Context, _: click.Parameter, wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        Stdout().line(f"batchwork {version('batchwork')}")
        ctx.exit()


@click.group(cls=CommandGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option("--version", is_flag=True, is_eager=True, expose_value=False, callback=_version, help="Show the version.")
def commands() -> None:
    """Batch processing declared in YAML, remembered item by item.

    \b
      batchwork init       a small workflow to begin with, which runs at once
      batchwork run enrich.yaml source=users.jsonl
      batchwork resume     after a crash, a Ctrl-C or a failed step
      batchwork retry      only the items that failed

    State lives in .batchwork/ in the working directory; --store says otherwise.

    \b
    Exit codes: 0 all succeeded, 1 a step failed, 2 wrong workflow or command
    line, 3 finished with failed items, 4 refused or store trouble,
    130/143 interrupted (resumable).
    """


def program() -> NoReturn:
    """The command `batchwork`: ends the process at once, because taking everything apart in order takes Python 15 ms."""
    code = main()
    if threading.active_count() == 1:  # nobody is to be waited for
        atexit._run_exitfuncs()
        os._exit(code)
    sys.exit(code)


def main() -> int:
    """Run the command line; the exit code."""
    if os.name == WINDOWS:
        print("batchwork does not run on Windows itself: install and start it in WSL.", file=sys.stderr)
        return UsageError.exit_code
    prepare_streams()
    code = _outcome()
    return end_output(code)


def _outcome() -> int:
    try:
        return int(commands.main(prog_name="batchwork", standalone_mode=False) or 0)
    except BatchworkError as error:
        report_error(error)
        return error.exit_code
    except click.ClickException as error:
        _report_usage(error)
        return error.exit_code
    except (click.Abort, KeyboardInterrupt):
        note("interrupted")
        return INTERRUPTED_EXIT
    except ReaderGone:
        return 0
    except Exception as error:  # noqa: BLE001 – a bug: everything that a person can mend is a BatchworkError
        if lacks_files(error):
            report_error(TooManyFiles())
            return TooManyFiles.exit_code
        import traceback

        note(traceback.format_exc().rstrip())
        note("This is a bug in batchwork. What is recorded is safe; `batchwork resume` continues an unfinished run.")
        return BUG_EXIT


def report_error(error: BatchworkError) -> None:
    """The message of an error, and what to do about it, on standard error."""
    if isinstance(error, WorkflowError):
        count = len(error.problems)
        note(str(error))
        note(f"{plural(count, 'problem')} found; nothing ran.")
        return
    note(f"error: {error.message}")
    for line in error.hint.splitlines():
        note(f"    {line}")


def _report_usage(error: click.ClickException) -> None:
    context = error.ctx if isinstance(error, click.UsageError) else None
    if isinstance(error, click.exceptions.NoArgsIsHelpError):
        note(error.format_message())
        return
    note(f"error: {error.format_message()}")
    if context is not None:
        note(f"    {context.get_usage().removeprefix('Usage: ')}")
        note(f"    `{context.command_path} --help` shows all options")


if __name__ == "__main__":
    program()
