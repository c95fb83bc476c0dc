"""Four small task types with the names of the real ones, for tests of reading and planning that do not care what tasks do."""

from __future__ import annotations

import ast
from collections.abc import Iterable, Mapping
from typing import Any, ClassVar

import msgspec

from batchwork.errors import Place, Problem
from batchwork.ports import Program, Setting, Value
from batchwork.text.jsontext import Json


class FakeTask:
    name: ClassVar[str] = ""
    literal: ClassVar[frozenset[str]] = frozenset()
    open_fields: ClassVar[bool] = False
    default_parallel: ClassVar[int | None] = 8

    def check(self, fields: Mapping[str, Value], names: frozenset[str], place: Place) -> Iterable[Problem]:
        return ()

    def warn(self, fields: Mapping[str, Value], names: frozenset[str], place: Place) -> Iterable[Problem]:
        return ()

    def code_names(self, fields: Mapping[str, Value]) -> frozenset[str]:
        return frozenset()

    def identity(self, fields: Mapping[str, Value]) -> Json:
        return None

    def program(self, fields: Mapping[str, Value], setting: Setting) -> Program:
        raise AssertionError("nothing is run here")


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

    def warn(self, fields: Mapping[str, Value], names: frozenset[str], place: Place) -> Iterable[Problem]:
        if getattr(fields["command"], "json", "") == "risky":
            yield Problem(place, "risky")


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

    def check(self, fields: Mapping[str, Value], names: frozenset[str], place: Place) -> Iterable[Problem]:
        try:
            ast.parse(self._code(fields))
        except SyntaxError as error:
            at = fields["code"].place
            yield Problem(Place(at.file, at.line + (error.lineno or 1) - 1, at.column), "syntax error in the code")

    def code_names(self, fields: Mapping[str, Value]) -> frozenset[str]:
        return frozenset(node.id for node in ast.walk(ast.parse(self._code(fields))) if isinstance(node, ast.Name))

    def identity(self, fields: Mapping[str, Value]) -> Json:
        return "hash of the function" if "function" in fields else None

    def _code(self, fields: Mapping[str, Value]) -> str:
        return str(getattr(fields.get("code"), "json", ""))


FAKES = {task.name: task for task in (Echo(), Shell(), HttpRequest(), Python())}


def fake_find(name: str) -> FakeTask:
    return FAKES[name]


def fake_names() -> list[str]:
    return sorted(FAKES)
