"""From WORKFLOW and NAME=VALUE on the command line to a checked plan. What a plan means is batchwork.plan's."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence

import click

from batchwork.cli.options import F
from batchwork.cli.output import note
from batchwork.errors import Problem, UsageError
from batchwork.plan.model import Plan

TEXT_MAX = 40 * 1024 * 1024
"""Bytes of a workflow file that are read; the loader refuses less than that, and nobody waits for a file of 99 GB."""


def workflow_arguments(command: F) -> F:
    """WORKFLOW [NAME=VALUE …] and `--params-file`."""
    decorators: list[Callable[[F], F]] = [
        click.argument("workflow", metavar="WORKFLOW"),
        click.argument("given", nargs=-1, metavar="[NAME=VALUE]..."),
        click.option(
            "--params-file",
            metavar="FILE",
            help="Parameters from a YAML or JSON file; NAME=VALUE goes before it. Default: none.",
        ),
    ]
    for decorate in reversed(decorators):
        command = decorate(command)
    return command


def read_plan(
    workflow: str, given: Sequence[str], params_file: str | None, max_parallel: int | None = None, lenient: bool = False
) -> Plan:
    """The plan of a workflow file. `lenient`: parameters may be missing. Raises UsageError, WorkflowError."""
    from batchwork.plan.resolve import load_plan

    return load_plan(
        workflow,
        read_text(workflow),
        pairs(given),
        params_file,
        os.environ,
        max_parallel,
        len(os.sched_getaffinity(0)),
        lenient,
    )


def read_text(path: str) -> str:
    """The text of a workflow file. Raises UsageError."""
    try:
        with open(path, "rb") as file:
            raw = file.read(TEXT_MAX)
    except OSError as error:
        raise UsageError(
            f"{path}: {error.strerror}", _near(path) if isinstance(error, FileNotFoundError) else ""
        ) from error
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        line = raw.count(b"\n", 0, error.start) + 1
        raise UsageError(f"{path}:{line}: not UTF-8: {error.reason}", "a workflow is a YAML file in UTF-8") from error


def pairs(given: Sequence[str]) -> dict[str, str]:
    """NAME=VALUE words as a mapping; of a name given twice the last one counts. Raises UsageError."""
    found = {}
    for word in given:
        name, sign, value = word.partition("=")
        if not sign or not name:
            raise UsageError(f"`{word}` is not a parameter", "parameters are written NAME=VALUE, for example limit=50")
        found[name] = value
    return found


def remarks(plan: Plan, decisions: bool = True) -> None:
    """Print what was decided for the author, and what is legal but risky."""
    for problem in plan.warnings:
        note(remark("warning", problem))
    if decisions:
        for problem in plan.decisions:
            note(remark("note", problem))


def remark(word: str, problem: Problem) -> str:
    """A problem as a warning or note."""
    return f"{word}: {problem}"


def _near(path: str) -> str:
    from batchwork.text.spelling import suggest

    folder, name = os.path.split(path)
    try:
        names = [entry.name for entry in os.scandir(folder or ".") if entry.name.endswith((".yaml", ".yml"))]
    except OSError:
        return ""
    return suggest(name, names)
