"""The Python worker's program, part by part: encoding, compiling, operations, functions, names, sequences, output."""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import json
import os
import re
import sys
import tempfile
import types
import uuid
from collections import OrderedDict, defaultdict
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from batchwork.censor import Censor
from batchwork.tasks.python.task import OPERANDS, WITHOUT_OPERAND
from batchwork.workers.python.log import WorkerLog
from batchwork.workers.python.program import coroutines, failures, operations, output
from batchwork.workers.python.program.compiling import Code, compile_body, run_setup
from batchwork.workers.python.program.failures import Refused, Unprepared, failure_fields, is_of_kind, place_of
from batchwork.workers.python.program.functions import make_function
from batchwork.workers.python.program.operations import operation
from batchwork.workers.python.program.prepare import prepare_program
from batchwork.workers.python.program.values.encoding import DEPTH, ResultError, encode_result
from batchwork.workers.python.program.values.names import (
    ErrorText,
    MissingName,
    Namespace,
    StepView,
    UnitBatch,
    namespace,
)
from batchwork.workers.python.program.values.sequences import StepResults, Told

# ---------------------------------------------------------------- encoding


class Point(NamedTuple):
    x: int
    y: int


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "null"),
        (True, "true"),
        (4, "4"),
        (-(2**70), str(-(2**70))),
        (1.5, "1.5"),
        (1e308, "1e+308"),
        ("a\0\u20ac\udcff\n", '"a\\u0000\\u20ac\\udcff\\n"'),
        ([1, (2, [])], "[1,[2,[]]]"),
        (Point(1, 2), "[1,2]"),
        ({"b": 1, "a": {"c": None}}, '{"b":1,"a":{"c":null}}'),
        ({1: "a", None: 2, False: 3, 1.5: 4}, '{"1":"a","null":2,"false":3,"1.5":4}'),
        (OrderedDict(a=1), '{"a":1}'),
        (defaultdict(list, a=[1]), '{"a":[1]}'),
        (dt.datetime(2026, 1, 1, tzinfo=dt.UTC), '"2026-01-01T00:00:00+00:00"'),
        ([dt.date(2026, 1, 1), dt.time(1, 2)], '["2026-01-01","01:02:00"]'),
        (decimal.Decimal("1.10"), '"1.10"'),
        ({"p": Path("a") / "b"}, '{"p":"a/b"}'),
        (uuid.UUID(int=1), '"00000000-0000-0000-0000-000000000001"'),
        ({dt.date(2026, 1, 1): 1}, '{"2026-01-01":1}'),
    ],
)
@pytest.mark.promise("5.12")
def test_json_data_and_what_is_made_of_it(value: Any, text: str) -> None:
    assert encode_result(value) == text
    json.loads(encode_result(value))


def nested(depth: int) -> list[Any]:
    value: list[Any] = []
    for _ in range(depth):
        value = [value]
    return value


def cycle() -> list[Any]:
    value: list[Any] = [1]
    value.append({"a": value})
    return value


@pytest.mark.fault("E05", "E06")
@pytest.mark.parametrize(
    ("value", "message"),
    [
        ({1, 2}, "set at $; use sorted"),
        ({"a": [1, 2, float("nan")]}, "nan at $.a[2]"),
        (float("-inf"), "-inf at $"),
        ((x for x in ()), "generator at $; use list"),
        ({"a b": {"c": b"x"}}, 'bytes at $["a b"].c; decode it'),
        ({1: "a", "1": "b"}, 'two keys at $ are both "1"'),
        ({(1, 2): 3}, "a key at $ is of type tuple"),
        (cycle(), "contains itself at $[1].a"),
        (10**5000, "more than 4300 digits at $"),
        ([10**5000], "more than 4300 digits at $[0]"),
        (nested(100_000), f"more than {DEPTH} levels"),
        (object(), "object at $"),
        (1 + 2j, "complex at $"),
    ],
    ids=lambda value: value if isinstance(value, str) else type(value).__name__,
)
def test_what_is_not_json_is_refused_with_its_path(value: Any, message: str) -> None:
    with pytest.raises(ResultError) as caught:
        encode_result(value)
    assert message in str(caught.value)


@pytest.mark.fault("A13")
def test_results_that_are_too_large_are_refused() -> None:
    with pytest.raises(ResultError, match="result too large: 67,108,866 characters"):
        encode_result("r" * (64 << 20))


def test_numpy_scalars_are_converted_and_arrays_are_not() -> None:
    numpy = pytest.importorskip("numpy")
    assert (
        encode_result({"a": numpy.int64(3), "b": numpy.float32(0.5), "c": numpy.bool_(True)})
        == '{"a":3,"b":0.5,"c":true}'
    )
    assert encode_result({numpy.int64(3): 1}) == '{"3":1}'
    with pytest.raises(ResultError, match=r"numpy.ndarray at \$; use .tolist"):
        encode_result(numpy.zeros(3))
    with pytest.raises(ResultError, match=r"nan at \$"):
        encode_result(numpy.float64("nan"))


def test_data_frames_are_refused_with_advice() -> None:
    pandas = pytest.importorskip("pandas")
    with pytest.raises(ResultError, match=r"DataFrame at \$\.d; use \.to_dict"):
        encode_result({"d": pandas.DataFrame()})
    assert encode_result(pandas.Timestamp("2026-01-01")) == '"2026-01-01T00:00:00"'


# ---------------------------------------------------------------- compiling


def module() -> types.ModuleType:
    return types.ModuleType("batchwork_code")


def run(code: str, *values: Any, names: tuple[str, ...] = ("item",), fixed: dict[str, Any] | None = None) -> Any:
    return compile_body(Code(code, "flow.yaml", 10), names, fixed or {}, module())(*values)


@pytest.mark.parametrize(
    ("code", "result"),
    [
        ("return item + 1", 3),
        ("result = item * 5", 10),
        ("result = 1\nreturn 2", 2),
        ("if item > 5:\n    result = 1", None),
        ("x = 1", None),
        ("# nothing", None),
        ("for result in range(3):\n    pass", 2),
        ("def f():\n    result = 1\nf()", None),
        ("result = 1\nreturn", None),
        ("text = '''a\nb'''\nreturn text", "a\nb"),
        ("from __future__ import annotations\ndef f(x: nowhere): return x\nreturn f(item)", 2),
        ("def total(n):\n    return 0 if n == 0 else n + total(n - 1)\nreturn total(item)", 3),
        ("class A:\n    x = item\nreturn A.x", 2),
        ("return [item * k for k in range(3)]", [0, 2, 4]),
        ("item = item + 1\nreturn item", 3),
        ("return globals()['__builtins__'].__name__", "builtins"),  # C code that imports looks it up there
    ],
)
@pytest.mark.promise("5.32")
def test_code_is_the_body_of_a_function(code: str, result: Any) -> None:
    assert run(code, 2) == result


def test_an_input_called_result_is_what_is_given_unless_assigned() -> None:
    assert run("result = result + 1", 4, names=("result",)) == 5
    assert run("x = result", 4, names=("result",)) is None


def test_constants_may_be_assigned_like_any_name() -> None:
    assert run("factor = factor * 2\nreturn factor * item", 3, fixed={"factor": 2}) == 12


@pytest.mark.promise("5.06")
def test_setup_names_are_in_scope() -> None:
    place = module()
    run_setup(Code("import math\nBASE = 40\ndef lift(x): return x + BASE", "flow.yaml", 5), place)
    assert compile_body(Code("return lift(item) + int(math.pi)", "flow.yaml", 10), ["item"], {}, place)(2) == 45


@pytest.mark.promise("5.33")
def test_tracebacks_show_the_workflows_own_lines() -> None:
    code = "x = 1\n\nreturn item / (x - 1)  # line 12"
    try:
        run(code, 2)
    except ZeroDivisionError as error:
        failure = failure_fields(error)
    assert failure["type"] == "ZeroDivisionError"
    assert 'File "flow.yaml", line 12, in code' in failure["traceback"]
    assert "return item / (x - 1)  # line 12" in failure["traceback"]
    assert "workers/python" not in failure["traceback"].replace(__file__, "")


def test_syntax_errors_have_the_workflows_line() -> None:
    with pytest.raises(SyntaxError) as caught:
        run("x = 1\ndef f(:\n    pass", 2)
    assert caught.value.lineno == 11
    assert place_of(caught.value) == " (flow.yaml:11)"


# ---------------------------------------------------------------- failures


class Broken(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")

    __repr__ = __str__


@pytest.mark.parametrize(
    ("error", "kind", "message"),
    [
        (ValueError("no"), "ValueError", "no"),
        (SystemExit(3), "SystemExit", "the code called sys.exit(3)"),
        (KeyboardInterrupt(), "KeyboardInterrupt", "KeyboardInterrupt without a message"),
        (KeyError("a"), "KeyError", "there is no key 'a'"),
        (Broken(), "Broken", "its message cannot be shown: __str__ raised RuntimeError"),
        (ExceptionGroup("g", [ValueError("a"), TypeError("b")]), "ExceptionGroup", "ValueError: a; TypeError: b"),
        (ValueError("\udcff"), "ValueError", "\\udcff"),
        (ResultError("not JSON"), "result", "not JSON"),
        (Refused("odd"), "refused", "odd"),
    ],
)
def test_whatever_is_raised_is_a_failure(error: BaseException, kind: str, message: str) -> None:
    failure = failure_fields(error)
    assert failure["type"] == kind
    assert message in failure["message"]
    json.dumps(failure).encode()


def test_huge_messages_are_cut() -> None:
    failure = failure_fields(ValueError("e" * (8 << 20)))
    assert len(failure["message"]) < 70_000
    assert len(failure["traceback"]) < 70_000


class OwnError(ConnectionResetError):
    class Inner(LookupError):
        pass


@pytest.mark.parametrize(
    ("error", "name", "is_one"),
    [
        (ConnectionResetError(), "OSError", True),
        (ConnectionResetError(), "IOError", True),  # another name of it
        (ConnectionResetError(), "builtins.OSError", True),
        (ConnectionResetError(), "socket.error", True),  # imported under another name
        (TimeoutError(), "OSError", True),
        (TimeoutError(), "Exception", True),
        (TimeoutError(), "BaseException", True),
        (OwnError(), "OwnError", True),
        (OwnError(), f"{__name__}.OwnError", True),
        (OwnError(), "ConnectionError", True),
        (OwnError.Inner(), "Inner", True),
        (OwnError.Inner(), f"{__name__}.OwnError.Inner", True),
        (json.JSONDecodeError("", "", 0), "json.JSONDecodeError", True),
        (json.JSONDecodeError("", "", 0), "json.decoder.JSONDecodeError", True),
        (json.JSONDecodeError("", "", 0), "ValueError", True),
        (ValueError(), "OSError", False),
        (ValueError(), "object", False),
        (ValueError(), "nowhere.ValueError", False),
        (ValueError(), "print", False),
        (ValueError(), "", False),
        (KeyboardInterrupt(), "Exception", False),
    ],
)
def test_an_error_goes_by_the_names_that_except_would_catch_it_by(
    error: BaseException, name: str, is_one: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert is_of_kind(error, name) is is_one
    monkeypatch.setattr(failures, "_asked", [name])
    assert failure_fields(error).get("kinds", []) == [name] * is_one


def test_results_that_are_wrong_are_not_tried_again() -> None:
    assert failure_fields(ResultError("x"))["retryable"] is False
    assert "retryable" not in failure_fields(ValueError("x"))


# ---------------------------------------------------------------- operations


@pytest.mark.parametrize(
    ("name", "item", "operand", "result"),
    [
        ("multiply", 2, 2, 4),
        ("multiply", [1, [2, 3]], 2, [2, [4, 6]]),
        ("multiply", 2.0, 2, 4.0),
        ("add", 1, 2.5, 3.5),
        ("subtract", [5, 6], [1, 2], [4, 4]),
        ("divide", 6, 2, 3),
        ("divide", 5, 2, 2.5),
        ("floordiv", 5, 2, 2),
        ("modulo", 5, 3, 2),
        ("power", 2, 10, 1024),
        ("power", 2, -1, 0.5),
        ("min", [5, 1], 3, [3, 1]),
        ("round", 2.345, 1, 2.3),
    ],
)
@pytest.mark.promise("5.05")
def test_operations_keep_the_kind_of_numbers(name: str, item: Any, operand: Any, result: Any) -> None:
    found = operation(name, "operand")(item, operand)
    assert found == result
    assert type(found) is type(result)


@pytest.mark.parametrize(
    ("name", "item", "result"), [("sum", [1, 2], 3), ("max", [1, 2], 2), ("negate", [1], [-1]), ("abs", -2, 2)]
)
def test_operations_without_an_operand(name: str, item: Any, result: Any) -> None:
    assert operation(name, "")(item) == result


@pytest.mark.parametrize(
    ("name", "item", "operand", "message"),
    [
        ("multiply", "5", 2, "the item is the text '5', and must be a number; write `| int`"),
        ("multiply", True, 2, "the item is true"),
        ("multiply", None, 2, "the item is null"),
        ("add", 1, {"a": 1}, "`amount` is a mapping"),
        ("divide", 1, 0, "divide: 1 by zero"),
        ("subtract", [1], [1, 2], "the item has 1 elements and `amount` has 2"),
        ("power", 10, 10**9, "is too large"),
        ("power", -8, 0.5, "not a real number"),
    ],
)
def test_wrong_operands_are_refused_clearly(name: str, item: Any, operand: Any, message: str) -> None:
    with pytest.raises(Refused) as caught:
        operation(name, "amount")(item, operand)
    assert message in str(caught.value)


def test_both_sides_know_the_same_operations() -> None:
    assert {*operations.TWO, *operations.ONE, *operations.ALL} == OPERANDS.keys()
    assert operations.ONE.keys() | operations.ALL.keys() == WITHOUT_OPERAND
    assert {name for name, natural in OPERANDS.items() if natural} == operations.TWO.keys()


# ---------------------------------------------------------------- functions


@pytest.fixture
def functions(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    (tmp_path / "my_functions.py").write_text(
        "def plain(record): return ['plain', record]\n"
        "def named(key, item): return [key, item]\n"
        "def scaled(x, factor=2): return x * factor\n"
        "def every(**rest): return sorted(rest)\n"
        "def only(*, item): return item\n"
        "def none(): return 'none'\n"
        "def needs(item, other): return item\n"
        "class Tool:\n"
        "    @staticmethod\n"
        "    def work(item): return item\n"
        "number = 3\n"
    )
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(name: str, *values: Any, names: tuple[str, ...] = ("item",), **told: Any) -> Any:
        program = {"function": f"my_functions:{name}", "inputs": told.pop("inputs", [])}
        return make_function(program, list(names), told)(*values)

    yield make
    sys.modules.pop("my_functions", None)


@pytest.mark.promise("5.04")
def test_parameters_are_matched_by_name_and_the_first_free_one_gets_the_item(functions: Any) -> None:
    assert functions("plain", 5) == ["plain", 5]
    assert functions("named", 5, "k", names=("item", "key")) == ["k", 5]
    assert functions("scaled", 5) == 10
    assert functions("scaled", 5, factor=3, inputs=["factor"]) == 15
    assert functions("scaled", 5, names=("factor",), x=2, inputs=["x", "factor"]) == 10
    assert functions("every", 5, a=1, b=2, inputs=["a", "b"]) == ["a", "b"]
    assert functions("only", 5) == 5
    assert functions("none", 5) == "none"
    assert functions("Tool.work", 5) == 5


def test_functions_that_do_not_fit_are_refused_clearly(functions: Any) -> None:
    with pytest.raises(Unprepared, match="needs `other`"):
        functions("needs", 5)
    with pytest.raises(Unprepared, match="takes no `b`; it takes record"):
        functions("plain", 5, b=1, inputs=["b"])
    with pytest.raises(Unprepared, match="has no `plian`; did you mean plain"):
        functions("plian", 5)
    with pytest.raises(Unprepared, match="not a function but int"):
        functions("number", 5)
    with pytest.raises(ModuleNotFoundError):
        make_function({"function": "no_such_module:f"}, ["item"], {})


@pytest.fixture
def own_loop() -> Any:
    """The event loop of this process's coroutines, closed afterwards."""
    yield
    for loop in coroutines._loops:
        loop.close()
    coroutines._loops.clear()


@pytest.mark.usefixtures("own_loop")
@pytest.mark.promise("5.04")
def test_what_is_to_be_awaited_is_awaited_in_one_loop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever gives it: an `async def`, a plain function around one, an object, a part of a function."""
    (tmp_path / "clients.py").write_text(
        "import asyncio, functools\n"
        "loops, left = set(), []\n"
        "async def fetch(item, factor=2):\n"
        "    loops.add(id(asyncio.get_running_loop()))\n"
        "    return sum(await asyncio.gather(*(once(item + n) for n in range(3)))) * factor\n"
        "async def once(n):\n"
        "    await asyncio.sleep(0)\n"
        "    return n\n"
        "def around(item): return fetch(item)\n"
        "class Client:\n"
        "    async def __call__(self, item): return await fetch(item)\n"
        "client, part = Client(), functools.partial(fetch, factor=10)\n"
        "async def leaves(item):\n"
        "    async def runs_on():\n"
        "        try: await asyncio.sleep(3600)\n"
        "        finally: left.append(item)\n"
        "    asyncio.ensure_future(runs_on())\n"
        "    await asyncio.sleep(0)\n"
        "    return item\n"
        "async def breaks(item): raise ValueError(item)\n"
    )
    monkeypatch.syspath_prepend(tmp_path)

    def made(name: str, names: list[str], **fixed: Any) -> Any:
        return make_function({"function": f"clients:{name}", "inputs": [*fixed]}, names, fixed)

    assert [made(name, ["item"])(1) for name in ("fetch", "around", "client", "part")] == [12, 12, 12, 60]
    assert made("fetch", ["item"], factor=1)(5) == 18
    import clients  # type: ignore[import-not-found]

    assert len(clients.loops) == 1
    assert made("leaves", ["item"])(7) == 7 and clients.left == [7]
    with pytest.raises(ValueError, match="x") as caught:
        made("breaks", ["item"])("x")
    assert "asyncio" not in failure_fields(caught.value)["traceback"]


def test_functions_written_in_c_get_the_item() -> None:
    assert make_function({"function": "math:factorial", "inputs": []}, ["item"], {})(5) == 120


# ---------------------------------------------------------------- names


def test_names_are_attributes_and_keys_and_missing_ones_list_near_ones() -> None:
    env = Namespace("env", {"API_TOKEN": "x", "a": {"b": 1}})
    assert env.API_TOKEN == env["API_TOKEN"] == env.get("API_TOKEN") == "x"
    assert env.a.b == 1
    assert env.get("nothing") is None
    assert not hasattr(env, "nothing")
    for miss in (lambda: env.API_TOKN, lambda: env["API_TOKN"]):
        with pytest.raises(MissingName, match="env has no API_TOKN; did you mean API_TOKEN"):
            miss()
    assert failure_fields(MissingName("env has no x"))["message"] == "env has no x"
    assert encode_result(env) == '{"API_TOKEN":"x","a":{"b":1}}'


FORMS = {
    "batch": UnitBatch(1, [7, 8], 9, 8),
    "step": StepView({"a": 1}, "succeeded", ErrorText({"message": "no"}), {"sum": 1}),
    "error": ErrorText({"type": "ValueError", "message": "no", "attempts": 2, "exit_code": 3}),
    "params": namespace("params", {"n": 1, "deep": {"er": {"m": 2}}}),
    "methods": namespace("params", {"items": [1], "values": {"keys": 3}, "get": 4, "copy": 5}),
    "sequence": StepResults(
        Told("users", {"step": "a", "length": 0, "counts": {"failed": 0}, "duration": 1.5}, lambda _query: [])
    ),
}
PARTS = {
    "batch": ["index", "items", "total", "size", "item"],
    "step": ["result", "status", "error"],
    "error": ["type", "message", "attempts", "exit_code", "status_code"],
    "params": ["n", "deep", "deep.er", "deep.er.m"],
    "methods": ["items", "values", "values.keys", "get", "copy"],
    "sequence": ["results", "failed", "succeeded", "counts", "counts.failed", "duration"],
}


@pytest.mark.parametrize(("view", "path"), [(view, path) for view, paths in PARTS.items() for path in paths])
@pytest.mark.promise("3.17")
def test_dots_and_brackets_mean_the_same(view: str, path: str) -> None:
    dotted = eval(f"view.{path}", {"view": FORMS[view]})
    brackets = "".join(f"[{part!r}]" for part in path.split("."))
    assert eval(f"view{brackets}", {"view": FORMS[view]}) == dotted


@pytest.mark.parametrize("view", FORMS)
@pytest.mark.promise("3.18")
def test_a_missing_part_is_an_error_in_both_forms(view: str) -> None:
    for form in ("view.nothing", "view['nothing']"):
        with pytest.raises((MissingName, AttributeError), match="nothing"):
            eval(form, {"view": FORMS[view]})


def test_what_is_done_to_a_part_of_params_stays() -> None:
    params = namespace("params", {"base": {"tags": []}})
    params.base.tags.append(1)
    params["base"]["kind"] = 2
    assert params == {"base": {"tags": [1], "kind": 2}}
    assert encode_result(params) == '{"base":{"tags":[1],"kind":2}}'


def test_an_error_is_its_message_with_parts() -> None:
    error = ErrorText({"type": "exit", "message": "failed", "attempts": 2, "exit_code": 3, "status_code": None})
    assert f"{error}" == error.message == "failed"
    assert (error.type, error.attempts, error.exit_code, error.status_code) == ("exit", 2, 3, None)


class Store:
    """Answers for pages and remembers how often it was asked."""

    def __init__(self, rows: list[Any]) -> None:
        self.rows, self.asked = rows, 0

    def ask(self, query: Any) -> list[Any]:
        self.asked += 1
        rows = {"results": self.rows, "failed": [{"index": 1, "error": {"type": "T", "message": "m"}}]}[query["what"]]
        return rows[query["start"] : query["start"] + query["count"]]


@pytest.mark.promise("8.03")
def test_results_are_read_page_by_page() -> None:
    store = Store(list(range(2500)))
    told = {"step": "s", "counts": {"failed": 1, "succeeded": 2500}, "duration": 1.5, "length": 2500}
    results = StepResults(Told("users", told, store.ask))
    assert len(results) == 2500
    assert store.asked == 0
    assert results[0] == 0
    assert results[-1] == 2499
    assert results[10:13] == [10, 11, 12]
    assert store.asked == 2
    assert sum(results) == sum(range(2500))
    assert store.asked == 5
    assert results.results is results
    assert results.failed[0].error.type == "T"
    assert str(results.failed[0].error) == "m"
    assert results.counts.succeeded == 2500
    assert results.duration == 1.5
    assert encode_result(results[:2]) == "[0,1]"
    with pytest.raises(IndexError):
        results[2500]


def test_results_can_themselves_be_a_result() -> None:
    told = {"step": "s", "counts": {}, "duration": 0, "length": 3}
    assert encode_result({"r": StepResults(Told("r", told, Store([1, None, "x"]).ask))}) == '{"r":[1,null,"x"]}'
    assert StepResults(Told("r", told, Store([1, 2, 3]).ask)) == [1, 2, 3]


def test_a_program_gets_its_names_under_the_shape_they_need(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_VALUE", "from outside")
    code = "return [batch.size, batch.item, batch.items[0], env.SOME_VALUE, params.n, steps.a.result, len(users)]"
    program = {
        "kind": "code",
        "code": code,
        "file": "f.yaml",
        "line": 1,
        "names": ["batch"],
        "views": {"batch": "batch"},
        "fixed": {
            "env": {"env": None},
            "params": {"names": {"n": 5}},
            "steps": {"steps": {"a": {"result": 1, "status": "succeeded", "error": None}}},
            "users": {"sequence": {"step": "u", "counts": {}, "duration": 1, "length": 9}},
        },
    }
    function = prepare_program(program, lambda _query: []).function
    payload = [{"index": 0, "items": [7, 8], "total": None, "item": 8}]
    assert function(payload) == [2, 8, 7, "from outside", 5, 1, 9]


# ---------------------------------------------------------------- output


def test_output_beyond_the_limit_keeps_head_and_tail_and_whole_letters() -> None:
    with tempfile.TemporaryFile("w+b", buffering=0) as file:
        file.write("€".encode() * 20_000)
        log = output.Output(file.fileno(), 10_000)
        head, between, tail = log.cut(0, 60_000).split("\n")
        assert between == "… 50,004 bytes left out …"
        assert set(head) == set(tail) == {"€"}
        assert log.cut(0, 9) == "€€€"
        assert log.trim() == 60_000


@pytest.mark.parametrize("shape", ["plain", "base64", "hex"])
@pytest.mark.parametrize("ellipses", [0, 300])
def test_no_half_of_a_secret_survives_where_output_is_cut(shape: str, ellipses: int) -> None:
    secret = "hush-hush-that-nobody-may-see-" + "long" * 10
    shown = {
        "plain": secret,
        "base64": base64.encodebytes(secret.encode()).decode(),
        "hex": secret.encode().hex(" "),
    }[shape].encode()
    censor = Censor(["WORD"], {"WORD": secret})
    for inside in range(0, len(shown), 3):
        head = b"a" + b"x" * (3000 - 1 - inside) if not ellipses else "…".encode() * 900 + b"x" * (300 - inside)
        with tempfile.TemporaryFile("w+b", buffering=0) as file:
            file.write(head + shown + b"x" * 5000 + shown + b"x" * (3000 - inside))
            text = output.read_output(file.fileno(), 0, file.tell(), 6000)
        left, _, right = censor.text(text).rpartition(" bytes left out ")
        letters = re.sub(r"\s|x|…", "", left[1:] + right).replace("***", "")
        letters = re.sub(r"^[\d,]+|[\d,]+$", "", letters) if shape != "hex" else letters
        assert len(letters) < 12, (inside, letters)


def test_a_log_of_a_dead_worker_is_cut_alike() -> None:
    log = WorkerLog()
    os.write(log.descriptor, b"x" * (3 << 20))
    assert len(log.text(0)) < (1 << 20) + 100
    assert log.text(0, 5) == "xxxxx"
    log.close()
