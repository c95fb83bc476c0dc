"""batchwork: batch processing declared in YAML; the public API.

    run = batchwork.run("flow.yaml", params={"limit": 10})
    run.status, run.steps["fetch"].result, run.outputs["users"].failed

Names are imported when they are first used, so that `import batchwork` costs nothing.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from batchwork.api import FinishedRun, StepOutcome, load, resume, retry_failed, run
    from batchwork.errors import (
        BatchworkError,
        RunLocked,
        RunRefused,
        StoreError,
        UsageError,
        WorkflowError,
    )
    from batchwork.model import Failure
    from batchwork.tasks.base import MethodTask as Task
    from batchwork.tasks.base import TaskFailed

    __version__: str

__all__ = [
    "BatchworkError",
    "Failure",
    "FinishedRun",
    "RunLocked",
    "RunRefused",
    "StepOutcome",
    "StoreError",
    "Task",
    "TaskFailed",
    "UsageError",
    "WorkflowError",
    "__version__",
    "load",
    "resume",
    "retry_failed",
    "run",
]

_PLACES = {
    "Failure": ("batchwork.model", "Failure"),
    "Task": ("batchwork.tasks.base", "MethodTask"),
    "TaskFailed": ("batchwork.tasks.base", "TaskFailed"),
    **{
        name: ("batchwork.api", name)
        for name in ("FinishedRun", "StepOutcome", "load", "resume", "retry_failed", "run")
    },
    **{
        name: ("batchwork.errors", name)
        for name in ("BatchworkError", "RunLocked", "RunRefused", "StoreError", "UsageError", "WorkflowError")
    },
}


def __getattr__(name: str) -> object:
    """Import a public name when it is first used (PEP 562)."""
    if name == "__version__":
        from importlib.metadata import version

        return version("batchwork")
    if name not in _PLACES:
        raise AttributeError(f"module 'batchwork' has no attribute {name!r}")
    from importlib import import_module

    module, attribute = _PLACES[name]
    value: object = getattr(import_module(module), attribute)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
