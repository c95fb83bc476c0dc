"""The task type python: what is wrong with its fields, which names its code takes, what workers are told."""

from __future__ import annotations

import ast
import json
import os
import sys
from pathlib import Path
from typing import Any

import msgspec
import pytest

from batchwork.errors import Place, Problem
from batchwork.model import BatchView
from batchwork.plan.code import steps_used
from batchwork.plan.each import takes_batch
from batchwork.ports import Compiled, Setting, Staffing, Written
from batchwork.tasks.base import MethodTask
from batchwork.tasks.python.names import names_taken
from batchwork.tasks.python.source import InlineCode, find_function
from batchwork.tasks.python.task import PythonTask
from batchwork.template import Value
from batchwork.text.jsontext import Json
from batchwork.workers.python.orders import prepare_body

TASK = PythonTask()
PLACE = Place("flow.yaml", 7, 5)
UNIT = frozenset({"item", "key", "index", "attempt", "batch", "idempotency_key"})
NAMES = UNIT | {"params", "args", "env", "steps", "run", "users"}


def fields(**written: Json) -> dict[str, Value]:
    place = Place("flow.yaml", 9, 11)
    return {
        name: Value.constant(value, place) if name in TASK.literal else Value.of(value, place)
        for name, value in written.items()
    }


def compiled(written: dict[str, Value], names: frozenset[str] = NAMES) -> Compiled:
    return TASK.compile(Written(written, names, PLACE))


def problems(**written: Json) -> list[str]:
    return [shown(problem) for problem in compiled(fields(**written)).problems]


def shown(problem: Problem) -> str:
    return f"{problem.place}: {problem.message}\n    {problem.hint}"


def setting(**constants: Any) -> Setting:
    known = {
        "params": {"n": 1},
        "args": {"n": 1},
        "env": {"HOME": "/home/of/env"},
        "steps": {},
        "run": {"id": "r"},
        **constants,
    }
    return Setting("s", known, UNIT, {}, "/flows", "/here", None)


def program(written: dict[str, Value], **constants: Any) -> Any:
    return compiled(written).program(setting(**constants))


# ---------------------------------------------------------------- checks


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({}, "flow.yaml:7:5: `code` is required in the task `python`"),
        ({"code": "return 1", "function": "a:b"}, "`code` and `function` exclude each other"),
        ({"code": "x = 1\ndef f(:\n  pass"}, "flow.yaml:10:17: syntax error in `code`"),
        ({"code": "await x"}, "syntax error in `code`: 'await' outside async function"),
        ({"code": "  "}, "`code` is empty"),
        ({"code": "return 1", "setup": "return 1"}, "syntax error in `setup`: 'return' outside function"),
        ({"operation": "multipy", "factor": 2}, "there is no operation `multipy`\n    did you mean `multiply`?"),
        ({"operation": "multiply"}, "`multiply` needs an operand\n    for example `factor: 2`"),
        ({"operation": "multiply", "a": 1, "b": 2}, "takes one operand, but 2 are given: `a` and `b`"),
        ({"operation": "sum", "a": 1}, "`sum` takes no operand"),
        ({"operation": "{{ item }}", "a": 1}, "`operation` is the same for all items, and cannot use `item`"),
        ({"function": "package.module.name"}, "did you mean `package.module:name`?"),
        ({"function": "name"}, "`function` must be a module and a name in it"),
        ({"code": "return 1", "my input": 1}, "`my input` cannot be a name in Python\n    for example `my_input`"),
        ({"code": "return 1", "class": 1}, "for example `_class`"),
        ({"code": "return 1", "interpreter": "{{ key }}"}, "`interpreter` is the same for all items"),
    ],
)
def test_what_is_wrong_is_said_with_its_place(written: dict[str, Json], expected: str) -> None:
    found = problems(**written)
    assert len(found) == 1
    assert expected in found[0]


@pytest.mark.parametrize(
    "written",
    [
        {"code": "return item"},
        {"code": "result = item", "setup": "import math", "extra": "{{ item }}"},
        {"code": "from __future__ import annotations\nx: nope = 1"},
        {"code": "yield 1"},
        {"function": "package.module:Class.method", "x": 1},
        {"operation": "multiply", "item": "{{ item }}", "factor": 2},
        {"operation": "max"},
        {"operation": "max", "value": 3},
        {"code": "print 'old'", "interpreter": "python2"},
    ],
)
def test_what_is_right_passes(written: dict[str, Json]) -> None:
    assert problems(**written) == []


def test_operations_need_an_item() -> None:
    found = compiled(fields(operation="sum"), frozenset({"params"})).problems
    assert "`sum` needs `item`" in found[0].message


def test_misspelt_names_in_code_are_warned_of_with_their_line() -> None:
    written = fields(
        code="import os\nx = itme\nreturn helper(x, os.sep, print, users, extra)", setup="def helper(*a): pass", extra=1
    )
    (warning,) = compiled(written).warnings
    assert shown(warning) == "flow.yaml:10:11: `code` uses `itme`, which is not defined there\n    did you mean `item`?"
    assert not compiled(fields(code="from math import *\nreturn sin(item)")).warnings


def warned(names: frozenset[str] = NAMES, **written: Json) -> list[str]:
    return [shown(problem) for problem in compiled(fields(**written), names).warnings]


@pytest.mark.parametrize(
    ("code", "line", "hint"),
    [
        ("len(item)", 9, "did you mean `return len(item)`?"),
        ("x = 1\nitem['a'] + x", 10, "did you mean `return item['a'] + x`?"),
        ("print(item)\nif item:\n    return", 10, "`return …` gives one; `return None` says that there is none"),
        ("def f():\n    return item", 9, "`return …` gives one"),
        ("f = lambda: item", 9, "`return …` gives one"),
        ("class A:\n    result = 1", 9, "`return …` gives one"),
        ("def f():\n    result = item\nf()", 11, "did you mean `return f()`?"),
    ],
)
@pytest.mark.promise("5.03")
def test_code_that_gives_no_result_is_warned_of(code: str, line: int, hint: str) -> None:
    (found,) = warned(code=code)
    assert found.startswith(f"flow.yaml:{line}:") and "`code` gives no result, so it will be null" in found
    assert hint in found


@pytest.mark.parametrize(
    "code",
    [
        "return len(item)",
        "return None",
        "result = len(item)",
        "if item:\n  return 1",
        "for result in item: pass",
        "if (result := item): pass",
        "import json as result",
        "with open(item) as result: pass",
        "def result(): pass",
        "try:\n    return 1\nfinally:\n    print(item)",
        "raise ValueError(item)",
    ],
)
def test_code_that_gives_one_anywhere_is_not(code: str) -> None:
    assert warned(code=code) == []


def test_handlers_need_no_result() -> None:
    assert warned(NAMES | {"error"}, code="print(error)") == []


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"code": "x = 3\nreturn x is 3"}, 'flow.yaml:10:11: strange in `code`: "is" with a literal'),
        (
            {"code": "return item", "setup": "y = 1\nassert (y, 'no')"},
            "flow.yaml:10:11: strange in `setup`: assertion is al",
        ),
        ({"code": "import re\n\nreturn re.sub('\\d', '', item)"}, "flow.yaml:11:11: strange in `code`: invalid escape"),
        ({"code": "return [1] (item)"}, "flow.yaml:9:11: strange in `code`: 'list' object is not callable"),
    ],
)
def test_what_python_finds_strange_is_told_with_the_authors_lines(
    written: dict[str, Json], expected: str, capfd: pytest.CaptureFixture[str]
) -> None:
    (found,) = warned(**written)
    assert found.startswith(expected)
    assert steps_used(f"{written['code']}\nsteps") and takes_batch(f"{written['code']}\nlen(item)", ["item"])
    assert capfd.readouterr() == ("", "")


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("code", "taken"),
    [
        ("return item", "item"),
        ("numbers = params['numbers']\nreturn numbers", "params"),
        ("numbers = sorted(numbers)\nreturn numbers", "numbers sorted"),
        ("if flag:\n    item = 1\nreturn item", "flag item"),
        ("if flag:\n    x = 1\nelse:\n    x = 2\nreturn x", "flag"),
        ("for r in item:\n    y = r\nreturn [q for q in item if q]", "item"),
        ("total += 1", "total"),
        ("def f(a, b=c):\n    d = a\n    return d + e\nreturn f(1)", "c e"),
        ("with open(item) as g:\n    text = g.read()\nreturn text", "open item"),
        ("try:\n    import pandas as pd\nexcept ImportError as bad:\n    pd = bad\nreturn pd", "ImportError pd"),
        ("return (lambda a: a + b)(1)", "b"),
        ("class A:\n    x = y\nreturn A", "y"),
        ("if (n := len(item)) > 2:\n    return n", "len item n"),
        ("x.y = 1\nz[0] = 2", "x z"),
        ("match item:\n    case {'a': a, **rest}:\n        return a, rest", "item"),
        ("import a.b\nreturn a.b.c", ""),
        ("return {k: v for k, v in pairs.items()}", "pairs"),
        ("global counter\ncounter += 1", "counter"),
        ("while go:\n    go = step()", "go step"),
        ("async def f():\n    async with item as x:\n        return x\nreturn f", "item"),
    ],
)
def test_names_that_code_takes_from_outside(code: str, taken: str) -> None:
    assert names_taken(ast.parse(code).body) == set(taken.split())
    assert InlineCode.read(code).taken == set(taken.split())


def test_code_names_are_those_of_code_and_setup() -> None:
    assert compiled(fields(code="return users", setup="url = env.DB_URL")).names == {"users", "env"}


# ---------------------------------------------------------------- programs


def test_an_item_alone_is_the_payload() -> None:
    made = program(fields(code="return item['a'] + params.n"))
    assert made.takes_item
    assert made.uses == {"item"}
    assert made.prepare["names"] == ["item"]
    assert made.prepare["fixed"] == {"params": {"names": {"n": 1}}}
    assert (made.prepare["file"], made.prepare["line"]) == ("flow.yaml", 9)
    assert made.prepare["path"] == ["/flows", "/here"]
    json.dumps(made.prepare)


def test_saying_that_item_is_item_costs_nothing() -> None:
    made = program(fields(operation="multiply", item="{{ item }}", factor=2))
    assert made.takes_item
    assert made.prepare["fixed"] == {"factor": {"json": 2}}
    assert made.prepare["operand"] == "factor"


def test_further_inputs_and_names_of_the_unit_are_bound() -> None:
    made = program(
        fields(code="return [a, b, key, batch.size]", a="{{ item.x }}", b="{{ params.n }}", c="{{ item.y }}")
    )
    assert not made.takes_item
    assert made.prepare["names"] == ["a", "batch", "key"]
    assert made.prepare["fixed"] == {"b": {"json": 1}}
    assert made.prepare["batch_slot"] == 1
    assert made.uses == {"item", "batch", "key"}
    items = [{"x": 5}, {"x": 6}]
    scope = {**setting().constants, "item": items[0], "key": "k", "batch": BatchView(2, items, None)}
    batch = {"index": 2, "items": items, "total": None, "item": items[0]}
    assert made.bind(scope) == [5, batch, "k"]


def test_a_batch_that_is_the_item_is_sent_once() -> None:
    made = program(fields(code="return len(batch.items)"))
    items = [1, 2]
    assert made.bind({"item": items, "batch": BatchView(0, items, 2)}) == [{"index": 0, "items": items, "total": 2}]


def test_an_input_takes_the_place_of_the_name_it_has() -> None:
    made = program(fields(code="return item", item="{{ item.inner }}"))
    assert not made.takes_item
    assert made.bind({"item": {"inner": 3}}) == [3]


class Lazy:
    def reference(self) -> dict[str, Any]:
        return {"step": "u", "counts": {}, "duration": 1, "length": 9}


def test_lazy_results_are_told_as_references_and_the_environment_not_at_all() -> None:
    steps = {
        "a": {"result": Lazy(), "status": "succeeded", "error": None},
        "b": {"result": 5, "status": "succeeded", "error": None},
        "c": {"result": 6, "status": "succeeded", "error": None},
    }
    constants = setting(users=Lazy(), steps=steps)
    code = "return [env.HOME, users, steps.a.result, steps['b'].result]"
    made = compiled(fields(code=code)).program(constants)
    fixed = made.prepare["fixed"]
    reference = Lazy().reference()
    assert fixed["env"] == {"env": None}
    assert fixed["users"] == {"sequence": reference}
    assert fixed["steps"]["steps"]["a"] == {"status": "succeeded", "error": None, "sequence": reference}
    assert fixed["steps"]["steps"]["b"] == {"status": "succeeded", "error": None, "result": 5}
    assert set(fixed["steps"]["steps"]) == {"a", "b"}
    assert "/home/of/env" not in json.dumps(made.prepare)


def test_setup_gets_the_constants_that_it_names() -> None:
    made = program(fields(code="return item", setup="limit = params.n"))
    assert made.prepare["setup_fixed"] == {"params": {"names": {"n": 1}}}
    assert made.prepare["setup_line"] == 9


# ---------------------------------------------------------------- functions and interpreters


def test_a_function_gets_what_its_parameters_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tools").mkdir()
    source = tmp_path / "tools" / "clean.py"
    source.write_text("import nowhere\ndef work(record, key, params, users=()): ...\n")
    monkeypatch.chdir(tmp_path)
    written = fields(function="tools.clean:work", extra="{{ item.b }}")
    assert compiled(written).names == {"record", "key", "params", "users", "item"}
    known = setting(users=Lazy())
    made = compiled(written).program(Setting("s", known.constants, UNIT, {}, str(tmp_path), "/", None))
    assert made.prepare["names"] == ["extra", "item", "key"]
    assert set(made.prepare["fixed"]) == {"params", "users"}
    assert made.prepare["inputs"] == ["extra"]
    before = compiled(written).identity
    source.write_text("def work(record): ...\n")
    after = compiled(written).identity
    assert before != after
    assert after["file"] == "clean.py"  # type: ignore[call-overload, index]
    assert compiled(fields(function="json:dumps")).identity is None
    assert find_function("tools:x", [str(tmp_path)]) is None


def test_a_function_found_nowhere_gets_the_item_and_the_inputs() -> None:
    made = program(fields(function="json:dumps"))
    assert made.takes_item
    assert made.prepare["names"] == ["item"]


@pytest.mark.promise("5.08")
def test_which_interpreter_runs_it(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    python = tmp_path / "bin" / "python"
    python.symlink_to(sys.executable)
    active = Setting("s", {}, UNIT, {"VIRTUAL_ENV": str(tmp_path)}, "/flows", "/here", None)
    gone = Setting("s", {}, UNIT, {"VIRTUAL_ENV": str(tmp_path / "gone")}, "/flows", "/here", None)
    code = "return item"
    assert compiled(fields(code=code)).program(active).prepare["interpreter"] == str(python)
    assert compiled(fields(code=code)).program(gone).prepare["interpreter"] == sys.executable
    assert (
        compiled(fields(code=code, interpreter="env/bin/python")).program(active).prepare["interpreter"]
        == "/here/env/bin/python"
    )
    assert compiled(fields(code=code, interpreter="python3.9")).program(active).prepare["interpreter"] == "python3.9"
    home = compiled(fields(code=code, interpreter="~/p")).program(active).prepare["interpreter"]
    assert home == os.path.expanduser("~/p")


# ---------------------------------------------------------------- third parties


class Resize(MethodTask):
    name = "resize"

    class Fields(msgspec.Struct):
        path: str
        width: int = 100

    def run(self, fields: Any, unit: Any) -> Any:
        return [fields.path, fields.width, unit.key]


def test_a_third_partys_task_is_told_by_its_class() -> None:
    written = {"path": Value.of("{{ item }}.png", PLACE), "width": Value.of("{{ params.n }}", PLACE)}
    made = Resize().compile(Written(written, NAMES, PLACE)).program(setting())
    assert made.prepare["class"] == f"{__name__}:Resize"
    assert made.prepare["fields"] == {"width": 1}
    assert made.uses == {"item", "key", "index", "attempt", "idempotency_key"}
    scope = {"item": "a", "key": "k", "index": 0, "attempt": 1, "idempotency_key": "t", "params": {"n": 1}}
    assert made.bind(scope) == {
        "fields": {"path": "a.png"},
        "unit": {"item": "a", "key": "k", "index": 0, "attempt": 1, "idempotency_key": "t"},
    }


def test_a_third_partys_task_runs_in_the_worker() -> None:
    from batchwork.workers.python.program.failures import Refused
    from batchwork.workers.python.program.prepare import prepare_program

    function = prepare_program(
        {"kind": "task", "class": f"{__name__}:Resize", "fields": {"width": 7}}, lambda _query: []
    ).function
    assert function({"fields": {"path": "a"}, "unit": {"key": "k"}}) == ["a", 7, "k"]
    with pytest.raises(Refused, match="Expected `str`, got `int`"):
        function({"fields": {"path": 5}, "unit": {"key": "k"}})


# ---------------------------------------------------------------- workers


def test_how_long_workers_serve_is_told() -> None:
    told = program(fields(code="return item")).prepare
    assert (told["setup_timeout_s"], told["max_items_per_worker"], told["restart_worker_on"]) == (600.0, None, [])
    written = fields(
        code="return item", setup_timeout="5m", max_items_per_worker="{{ params.n }}", restart_worker_on="OSError"
    )
    told = program(written).prepare
    assert (told["setup_timeout_s"], told["max_items_per_worker"], told["restart_worker_on"]) == (300.0, 1, ["OSError"])


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"setup_timeout": 0}, "`setup_timeout` must be a duration greater than 0"),
        ({"max_items_per_worker": 0}, "`max_items_per_worker` must be a whole number of at least 1"),
        ({"restart_worker_on": []}, "`restart_worker_on` must be names of error types"),
        (
            {"max_items_per_worker": "{{ index }}"},
            "`max_items_per_worker` is the same for all items, and cannot use `index`",
        ),
    ],
)
def test_wrong_words_about_workers_are_said(written: dict[str, Json], expected: str) -> None:
    (found,) = problems(code="return item", **written)
    assert expected in found


def test_the_number_of_the_worker_is_a_name_in_code_and_setup(tmp_path: Path) -> None:
    written = fields(code="return [worker, device, item]", setup="device = f'cuda:{worker}'")
    assert not compiled(written).warnings
    told = program(written).prepare
    assert told["fixed"] == told["setup_fixed"] == {"worker": {"worker": None}}
    staffing = Staffing(1, None, "cookie", {}, "/srv")
    body = json.loads(prepare_body(told, staffing, 3))["program"]
    assert body["fixed"] == body["setup_fixed"] == {"worker": {"json": 3}}
    assert program(written, worker="mine").prepare["fixed"] == {"worker": {"json": "mine"}}
    assert program(fields(code="return worker", worker=7)).prepare["fixed"] == {"worker": {"json": 7}}
    (tmp_path / "numbered.py").write_text("def f(item, worker): pass")
    there = msgspec.structs.replace(setting(), workflow_dir=str(tmp_path))
    assert compiled(fields(function="numbered:f")).program(there).prepare["fixed"] == {"worker": {"worker": None}}
