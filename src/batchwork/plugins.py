"""Finds task types by name: built-in ones and those of other packages. Nothing is imported before it is asked for by name."""

from __future__ import annotations

import importlib
from functools import lru_cache
from typing import TYPE_CHECKING

from batchwork.errors import UsageError
from batchwork.ports import Task

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "batchwork.tasks"
"""The entry point group in which other packages name their task types."""

_BUILT_IN = {
    "echo": "batchwork.tasks.echo:EchoTask",
    "http_request": "batchwork.tasks.http_request:HttpRequestTask",
    "python": "batchwork.tasks.python:PythonTask",
    "shell": "batchwork.tasks.shell:ShellTask",
}


@lru_cache(maxsize=64)
def find_task(name: str) -> Task:
    """The task type of that name. Raises KeyError where there is none, UsageError where it cannot be loaded."""
    target = _BUILT_IN.get(name)
    if target is not None:
        module, _, kind = target.partition(":")
        found: Task = getattr(importlib.import_module(module), kind)()
        return found
    return _made(_foreign()[name])


def task_names() -> list[str]:
    """All task types there are, sorted; those of other packages are named without being imported."""
    return sorted(_BUILT_IN.keys() | _foreign().keys())


@lru_cache(maxsize=1)
def _foreign() -> dict[str, EntryPoint]:
    from importlib.metadata import entry_points  # half of what reading a workflow imports, and most do without

    return {point.name: point for point in entry_points(group=GROUP) if point.name not in _BUILT_IN}


def _made(point: EntryPoint) -> Task:
    package = point.dist.name if point.dist else point.value
    try:
        kind = point.load()
        task: Task = kind()
    except Exception as error:  # another package's code: whatever it raises is that package's fault, and is named so
        message = f"the task type `{point.name}` of the package {package} cannot be loaded: {error}"
        raise UsageError(message, f"its entry point is `{point.value}`; reinstall or update {package}") from error
    missing = [part for part in _PARTS if not hasattr(task, part)]
    if missing:
        message = f"the task type `{point.name}` of the package {package} has no `{missing[0]}`"
        raise UsageError(message, "a task type is a class as described by batchwork.ports.Task")
    return task


_PARTS = (
    "name",
    "Fields",
    "literal",
    "open_fields",
    "default_parallel",
    "check",
    "warn",
    "code_names",
    "identity",
    "program",
)
