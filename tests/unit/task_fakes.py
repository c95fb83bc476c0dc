"""Four small task types with the names of the real ones, for tests of reading and planning that do not care what tasks do."""

from __future__ import annotations

import ast
from typing import Any, ClassVar

import msgspec

from batchwork.errors import Place, Problem
from batchwork.ports import Compiled, Written


class FakeTask:
    name: ClassVar[str] = ""
    literal: ClassVar[frozenset[str]] = frozenset()
    open_fields: ClassVar[bool] = False
    default_parallel: ClassVar[int | None] = 8

    def compile(self, task: Written) -> Compiled:
        return Compiled()


class Echo(FakeTask):
    name = "echo"

    class Fields(msgspec.Struct):
        message: Any


class Shell(FakeTask):
    name = "shell"

    class Fields(msgspec.Struct):
        command: str
        env: dict[str, str] | None = None
        capture_limit: int = 1

    def compile(self, task: Written) -> Compiled:
        risky = getattr(task.fields["command"], "json", "") == "risky"
        return Compiled(warnings=[Problem(task.place, "risky")] if risky else [])


class HttpRequest(FakeTask):
    name = "http_request"

    class Fields(msgspec.Struct):
        url: str
        method: str = "GET"
        headers: dict[str, str] | None = None
        timeout: float | str | None = None


class Python(FakeTask):
    name = "python"
    literal = frozenset({"code", "setup"})
    open_fields = True
    default_parallel = None

    class Fields(msgspec.Struct):
        code: str | None = None
        function: str | None = None
        operation: str | None = None
        setup: str | None = None

    def compile(self, task: Written) -> Compiled:
        try:
            tree = ast.parse(str(getattr(task.fields.get("code"), "json", "")))
        except SyntaxError as error:
            at = task.fields["code"].place
            place = Place(at.file, at.line + (error.lineno or 1) - 1, at.column)
            return Compiled(problems=[Problem(place, "syntax error in the code")])
        names = frozenset(node.id for node in ast.walk(tree) if isinstance(node, ast.Name))
        return Compiled(names=names, identity="hash of the function" if "function" in task.fields else None)


FAKES = {task.name: task for task in (Echo(), Shell(), HttpRequest(), Python())}


def fake_find(name: str) -> FakeTask:
    return FAKES[name]


def fake_names() -> list[str]:
    return sorted(FAKES)
