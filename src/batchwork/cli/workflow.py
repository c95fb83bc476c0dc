"""WORKFLOW and NAME=VALUE on the command line, and what is to be said about the plan that comes from them."""

from __future__ import annotations

from collections.abc import Callable

import click

from batchwork.cli.options import F, offered
from batchwork.errors import Problem
from batchwork.plan.model import Plan
from batchwork.view.streams import note


def workflow_arguments(command: F) -> F:
    """WORKFLOW [NAME=VALUE …] and `--params-file`."""
    decorators: list[Callable[[F], F]] = [
        click.argument("workflow", metavar="WORKFLOW", shell_complete=offered("workflow_files")),
        click.argument("given", nargs=-1, metavar="[NAME=VALUE]...", shell_complete=offered("params")),
        click.option(
            "--params-file",
            metavar="FILE",
            help="Parameters from a YAML or JSON file; NAME=VALUE overrides it. Default: none.",
        ),
    ]
    for decorate in reversed(decorators):
        command = decorate(command)
    return command


def remarks(plan: Plan, decisions: bool = True) -> None:
    """Print what was decided for the author, and what is legal but risky."""
    for problem in plan.warnings:
        note(_remark("warning", problem))
    if decisions:
        for problem in plan.decisions:
            note(_remark("note", problem))


def _remark(word: str, problem: Problem) -> str:
    return f"{word}: {problem}"
