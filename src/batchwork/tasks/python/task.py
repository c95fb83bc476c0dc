"""The task type `python`: inline code, a function of a module, or an operation. Nothing is run here."""

from __future__ import annotations

import ast
import builtins
import keyword
import os
from collections.abc import Iterator
from typing import Annotated, Any, ClassVar

import msgspec

from batchwork.errors import Place, Problem
from batchwork.plan.interpreter import python_interpreter
from batchwork.ports import Compiled, Program, Setting, Written
from batchwork.tasks.fields import Given, about, constant, constant_problems, read_problems, rendered, seconds, value_of
from batchwork.tasks.python.names import names_bound
from batchwork.tasks.python.program import WORKER, make_program, told_constants
from batchwork.tasks.python.source import (
    FunctionSource,
    InlineCode,
    find_function,
    syntax_problems,
    syntax_warnings,
    without_result,
)
from batchwork.template import text_of
from batchwork.text.spelling import listing, suggest

OPERANDS = {
    "add": "amount",
    "subtract": "amount",
    "multiply": "factor",
    "divide": "divisor",
    "floordiv": "divisor",
    "modulo": "divisor",
    "power": "exponent",
    "min": "value",
    "max": "value",
    "round": "digits",
    "sum": "",
    "negate": "",
    "abs": "",
}
"""Each operation with a natural name for its operand, if it takes one."""
WITHOUT_OPERAND = frozenset({"min", "max", "round", "sum", "negate", "abs"})
"""Those that do without an operand."""
_ALWAYS = frozenset({WORKER, "result", "__name__", "__file__", "__builtins__"})


class PythonFields(msgspec.Struct):
    """What may be written in a `python` task. Further fields are inputs: local names of the code, arguments of the function."""

    code: Annotated[
        str | None, about("Code, run as the body of a function. `return` gives the result, or `result = …`.")
    ] = None
    function: Annotated[str | None, about("Instead of `code`: a function, `package.module:name`.")] = None
    operation: Annotated[
        str | None, about("Instead of `code`: add, subtract, multiply, divide, power … on `item` and an operand.")
    ] = None
    setup: Annotated[
        str | None,
        about("Code that is run once in each worker: imports, a model, a connection. Its names are in scope."),
    ] = None
    interpreter: Annotated[
        str | None,
        about("The Python that runs it, 3.8 or newer; it needs no batchwork. An active environment's, if not given."),
    ] = None
    setup_timeout: Annotated[
        float | str, about("Longest time until a worker is ready, in seconds or 30s, 5m. It is tried three times.")
    ] = "10m"
    max_items_per_worker: Annotated[
        int | None, about("After so many items (or batches, with `each: batch`) a new worker takes the place of one.")
    ] = None
    restart_worker_on: Annotated[
        list[str] | str | None,
        about("Error types after which a new worker takes the place of one, for example a lost connection."),
    ] = None


_DECLARED = frozenset(field.encode_name for field in msgspec.structs.fields(PythonFields))


class PythonTask:
    """Run Python. The result is what the code or function returns, and must be JSON data."""

    name: ClassVar[str] = "python"
    Fields: ClassVar[type] = PythonFields
    literal: ClassVar[frozenset[str]] = frozenset({"code", "setup"})
    open_fields: ClassVar[bool] = True
    default_parallel: ClassVar[int | None] = None

    def compile(self, task: Written) -> Compiled:
        fields = task.fields
        code, setup = InlineCode.read(_text(fields, "code") or ""), InlineCode.read(_text(fields, "setup") or "")
        names = code.taken | setup.taken
        function = _text(fields, "function")
        source = None
        if function is not None:
            source = find_function(function, [os.path.dirname(fields["function"].place.file) or ".", "."])
            names |= _wanted_by(source)
        return Compiled(
            program=lambda setting: _program(fields, code, setup, setting),
            problems=[*_problems(task)],
            warnings=[*_unknown_names(task, code, setup), *_strange(task, code)],
            names=names,
            identity=source.identity if source is not None else None,
        )


def _program(fields: Given, code: InlineCode, setup: InlineCode, setting: Setting) -> Program:
    inputs = {name: fields[name] for name in _inputs(fields)}
    file = next((value.place.file for value in fields.values() if value.place.file), "workflow")  # for tracebacks
    told: dict[str, Any] = {"interpreter": _interpreter(fields, setting), "file": file, **_service(fields, setting)}
    if setup.text:
        told.update(setup=setup.text, setup_line=max(1, fields["setup"].place.line))
        told["setup_fixed"] = told_constants(setup.taken, setting, setup.text)
    if _text(fields, "code") is not None:
        told.update(kind="code", code=code.text, line=max(1, fields["code"].place.line))
        return make_program(told, code.taken, inputs, setting, code.text)
    operation = value_of(fields, "operation")
    if operation is not None and operation.json is not None:
        name = str(text_of(operation.render(setting.constants)))
        operand = next((each for each in inputs if each != "item"), "")
        told.update(kind="operation", operation=name, operand=operand)
        return make_program(told, {"item", *inputs}, inputs, setting, "")
    path = str(text_of(fields["function"].render(setting.constants)))
    source = find_function(path, [setting.workflow_dir, setting.cwd])
    told.update(kind="function", function=path, inputs=list(inputs))
    wanted = {*_wanted_by(source), *inputs} & {*setting.names, *inputs, WORKER}
    return make_program(told, wanted, inputs, setting, "steps")


def _service(fields: Given, setting: Setting) -> dict[str, Any]:
    """How long workers may take to be ready, and when they are replaced."""
    until: list[str] = []
    return {
        "setup_timeout_s": constant(fields, "setup_timeout", setting, seconds, 600.0),
        "max_items_per_worker": constant(fields, "max_items_per_worker", setting, _count, None),
        "restart_worker_on": constant(fields, "restart_worker_on", setting, _names, until),
    }


# ---------------------------------------------------------------- fields


def _count(value: object) -> int | None:
    if isinstance(value, int) and not isinstance(value, bool) and value >= 1:
        return value
    raise ValueError("a whole number of at least 1")


def _names(value: object) -> list[str]:
    names = [value] if isinstance(value, str) else value
    if isinstance(names, list) and names and all(isinstance(name, str) and name for name in names):
        return names
    raise ValueError("names of error types, for example [InterfaceError]")


_READERS = {"setup_timeout": seconds, "max_items_per_worker": _count, "restart_worker_on": _names}


def _text(fields: Given, name: str) -> str | None:
    """The field as written, where it is a text."""
    value = value_of(fields, name)
    return value.json if value is not None and isinstance(value.json, str) else None


def _inputs(fields: Given) -> list[str]:
    return [name for name in fields if name not in _DECLARED]


def _identifier(name: str) -> str:
    made = "".join(letter if letter.isidentifier() or letter.isdigit() else "_" for letter in name)
    if made.isidentifier() and not keyword.iskeyword(made):
        return made
    return f"_{made}"


def _interpreter(fields: Given, setting: Setting) -> str:
    """The Python to run."""
    given = rendered(fields.get("interpreter"), setting.constants)
    return python_interpreter(None if given is None else text_of(given), setting.environ, setting.cwd)


def _wanted_by(source: FunctionSource | None) -> frozenset[str]:
    """Names that a function wants: its parameters', and the item in any case."""
    arguments = source and source.arguments
    return frozenset({"item"}).union(arguments or ())


# ---------------------------------------------------------------- problems


def _problems(task: Written) -> Iterator[Problem]:
    fields = task.fields
    given = [name for name in ("code", "function", "operation") if _text(fields, name) is not None]
    if not given:
        yield Problem(task.place, "`code` is required in the task `python`", "or `function`, or `operation`")
    elif len(given) > 1:
        yield Problem(fields[given[1]].place, f"{listing(given)} exclude each other", "write one of them")
    elif given == ["function"]:
        yield from _function_problems(fields)
    elif given == ["operation"]:
        yield from _operation_problems(task)
    yield from _code_problems(fields)
    yield from constant_problems(fields, ("function", "operation", "interpreter", *_READERS))
    yield from read_problems(fields, _READERS)
    for name in _inputs(fields):
        if not name.isidentifier() or keyword.iskeyword(name):
            message = f"the input `{name}` cannot be a name in Python"
            yield Problem(fields[name].place, message, f"for example `{_identifier(name)}`")


def _strange(task: Written, code: InlineCode) -> Iterator[Problem]:
    """What Python itself warns of in code, and code that gives no result where one may be wanted (not in a handler)."""
    for name, text in _checked_here(task.fields):
        yield from syntax_warnings(text, task.fields[name].place, name, body=name == "code")
    if "error" not in task.names and without_result(code.body):
        last = code.body[-1]
        hint = "`return …` gives one; `return None` says that there is none"
        if isinstance(last, ast.Expr) and last.lineno == last.end_lineno:
            hint = f"did you mean `return {ast.unparse(last)}`? `return None` says that there is none"
        place = task.fields["code"].place
        yield Problem(place.below(last.lineno - 1), "`code` gives no result, so it will be null", hint)


def _unknown_names(task: Written, code: InlineCode, setup: InlineCode) -> Iterator[Problem]:
    """Names in code that nothing gives: a misspelling is found before the first item fails."""
    if not code.text or "import *" in code.text or "import *" in setup.text or "globals()" in setup.text:
        return
    own = names_bound([*code.body, *setup.body]) | set(dir(builtins)) | _ALWAYS | task.fields.keys()
    at = task.fields["code"].place
    for name in sorted(code.taken - own - task.names):
        line = next((number for number, text in enumerate(code.text.split("\n")) if name in text), 0)
        near = suggest(name, [*task.names, *own])
        yield Problem(at.below(line), f"`code` uses `{name}`, which is not defined there", near)


def _code_problems(fields: Given) -> Iterator[Problem]:
    for name, text in _checked_here(fields):
        yield from syntax_problems(text, fields[name].place, name, body=name == "code")


def _checked_here(fields: Given) -> Iterator[tuple[str, str]]:
    """The fields with code, by name; none where another Python runs it, which has another grammar: its worker says what is wrong."""
    interpreter = value_of(fields, "interpreter")
    if interpreter is not None and interpreter.json is not None:
        return
    for name in ("code", "setup"):
        text = _text(fields, name)
        if text is not None:
            yield name, text


def _function_problems(fields: Given) -> Iterator[Problem]:
    value = value_of(fields, "function")
    if value is None or not value.is_constant:
        return
    module, colon, name = str(value.json).partition(":")
    if not colon or not all(part.isidentifier() for part in (*module.split("."), *name.split("."))):
        hint = "for example `package.module:name`"
        near = str(value.json).rpartition(".")
        if not colon and all(part.isidentifier() for part in str(value.json).split(".")) and near[0]:
            hint = f"did you mean `{near[0]}:{near[2]}`?"
        yield Problem(value.place, f"`function` must be a module and a name in it, not `{value.json}`", hint)


def _operation_problems(task: Written) -> Iterator[Problem]:
    fields = task.fields
    value = value_of(fields, "operation")
    if value is None or not value.is_constant:
        return
    name = str(value.json)
    if name not in OPERANDS:
        hint = suggest(name, OPERANDS) or f"there are: {listing(OPERANDS)}"
        yield Problem(value.place, f"there is no operation `{name}`", hint)
        return
    yield from _operand_problems(name, value.place, fields)
    if "item" not in task.names and "item" not in fields:
        yield Problem(
            task.place, f"`{name}` needs `item`: there are no items here", "write `item: …` beside `operation`"
        )


def _operand_problems(operation: str, place: Place, fields: Given) -> Iterator[Problem]:
    operands = [each for each in _inputs(fields) if each != "item"]
    natural = OPERANDS[operation]
    if not operands and operation not in WITHOUT_OPERAND:
        yield Problem(place, f"`{operation}` needs an operand", f"for example `{natural}: 2`")
    elif operands and not natural:
        message = f"`{operation}` takes no operand, so `{operands[0]}` means nothing"
        yield Problem(fields[operands[0]].place, message)
    elif len(operands) > 1:
        message = f"`{operation}` takes one operand, but {len(operands)} are given: {listing(operands)}"
        yield Problem(fields[operands[1]].place, message)
