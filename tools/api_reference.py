"""Writes docs/reference/python.md: the public names of the package, as their docstrings and signatures say.

api_reference.py         prints the page
api_reference.py --write puts it where it belongs
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import batchwork
from batchwork.engine.run.results import Results

PAGE = Path(__file__).resolve().parent.parent / "docs/reference/python.md"
HEAD = """\
# Python

What `import batchwork` gives. [Use it from Python](../how-to/from-python.md) shows it at work. Names are imported when they are
first used, so the import itself costs nothing. `batchwork.__version__` is the version, as `batchwork --version` says it.
"""
GROUPS = {
    "Running": ("run", "resume", "retry_failed", "load"),
    "What has run": ("FinishedRun", "StepOutcome", "Results", "Failure"),
    "Task types of your own": ("Task", "TaskFailed"),
    "What is raised": ("BatchworkError", "UsageError", "WorkflowError", "RunRefused", "RunLocked", "StoreError"),
}
INSIDE = ("reference", "page", "compile")
"""Members that are the program's own affair."""


def page() -> str:
    """The whole page."""
    parts = [HEAD]
    for heading, names in GROUPS.items():
        parts.append(f"\n## {heading}\n")
        parts += ["\n".join(_entry(name, _found(name))) for name in names]
    return "\n".join(parts).rstrip() + "\n"


def _found(name: str) -> Any:
    return Results if name == "Results" else getattr(batchwork, name)


def _entry(name: str, found: Any) -> Iterator[str]:
    yield f"### `{name}`\n"
    if inspect.isfunction(found):
        yield f"```python\n{_signature(name, found)}\n```\n"
    yield f"{_text(found)}\n"
    if inspect.isclass(found):
        yield from _members(found)


def _members(kind: type) -> Iterator[str]:
    """Fields, properties and methods that say something."""
    rows = [(f"`{field}`", "") for field in getattr(kind, "__struct_fields__", ())]
    for name, member in vars(kind).items():
        if name.startswith("_") or name in INSIDE:
            continue
        if isinstance(member, property):
            rows.append((f"`{name}`", _line(member)))
        elif inspect.isfunction(member):
            rows.append((f"`{_signature(name, member, own=True)}`", _line(member)))
    if any(what for _, what in rows):
        yield "| | |\n|---|---|"
        yield from (f"| {name} | {what} |" for name, what in rows)
        yield ""
    elif rows:
        yield f"Fields: {', '.join(name for name, _ in rows)}.\n"


def _signature(name: str, function: Any, *, own: bool = False) -> str:
    """As it would be written, without quotes around types; of a method without `self` and types."""
    found = inspect.signature(function)
    if own:
        return f"{name}({', '.join(list(found.parameters)[1:])})"
    parts = [*map(_written, found.parameters.values())]
    if any(each.kind is each.KEYWORD_ONLY for each in found.parameters.values()):
        parts.insert(next(n for n, each in enumerate(found.parameters.values()) if each.kind is each.KEYWORD_ONLY), "*")
    body = "".join(f"\n    {part}," for part in parts)
    return f"{name}({body}\n) -> {found.return_annotation}"


def _written(parameter: inspect.Parameter) -> str:
    default = "" if parameter.default is parameter.empty else f" = {parameter.default!r}"
    return f"{parameter.name}: {parameter.annotation}{default}"


def _text(found: object) -> str:
    return inspect.cleandoc(found.__doc__ or "")


def _line(found: object) -> str:
    return " ".join(_text(found).split())


if __name__ == "__main__":
    if "--write" in sys.argv:
        PAGE.write_text(page(), encoding="utf-8")
    else:
        print(page(), end="")
