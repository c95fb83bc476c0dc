"""What one item's code does to a value that all items have is not seen by another; large values refuse to be changed."""

from __future__ import annotations

import copy
import json
import pickle
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from batchwork.workers.python.program.calls import spread_items
from batchwork.workers.python.program.prepare import prepare_program
from batchwork.workers.python.program.values.encoding import encode_result
from batchwork.workers.python.program.values.fresh import SMALL, maker, read_only

ROWS = [{"id": 1, "tags": []}, {"id": 2, "tags": []}]
FIXED: dict[str, Any] = {
    "base": {"json": {"kind": "user", "tags": []}},
    "numbers": {"json": [3, 2, 1]},
    "params": {"names": {"base": {"kind": "user", "tags": []}, "items": [1], "n": 5}},
    "args": {"names": {"n": 5}},
    "run": {"names": {"id": "r", "name": "w"}},
    "env": {"env": None},
    "steps": {
        "steps": {
            "one": {"result": {"left": [3, 2, 1]}, "status": "succeeded", "error": {"message": "m"}},
            "many": {
                "status": "succeeded",
                "error": None,
                "sequence": {"step": "many", "counts": {"failed": 2}, "length": 2},
            },
        }
    },
    "users": {"sequence": {"step": "users", "counts": {"failed": 2, "succeeded": 2}, "length": 2}},
    "error": {"error": {"type": "T", "message": "m"}},
}


def ask(query: Any) -> list[Any]:
    rows: list[Any] = json.loads(json.dumps(ROWS))
    return rows[query["start"] : query["start"] + query["count"]]


def prepared(code: str, taken: list[str], fixed: dict[str, Any] | None = None, **more: Any) -> Callable[[Any], Any]:
    program = {
        "kind": "code",
        "code": code,
        "file": "f.yaml",
        "line": 1,
        "names": ["item"],
        "takes_item": True,
        "fixed": {name: {**FIXED, **(fixed or {})}[name] for name in taken},
        **more,
    }
    return prepare_program(program, ask).function


CHANGES = {
    "a parameter": ("base", "base.update(item); base['tags'].append(item['id']); return base"),
    "a parameter's part": ("params", "params['base']['tags'].append(1); params.base.kind = 1 if 0 else 2"),
    "params themselves": ("params", "params['new'] = 1; params.base['new'] = 2; return params"),
    "a parameter called like a method": ("params", "params.items.append(2); return params.items"),
    "args": ("args", "args['n'] += 1; return args.n"),
    "a list": ("numbers", "numbers.sort(); return [numbers.pop(), numbers]"),
    "the environment": ("env", "env['NEW_NAME'] = env.get('NEW_NAME', '') + 'x'; return env.NEW_NAME"),
    "the run": ("run", "run['id'] += 'x'; return run.id"),
    "an earlier result": ("steps", "return steps.one.result['left'].pop()"),
    "an earlier result by brackets": ("steps", "return steps['one']['result']['left'].pop()"),
    "a step": ("steps", "steps.one.result = steps.one.result['left'] + [1]; return steps.one.result"),
    "steps": ("steps", "steps['two'] = len(steps); return steps.two"),
    "a row": ("users", "users[0]['tags'].append(1); return users[0]"),
    "a row of a step": ("steps", "steps.many.result[1]['tags'].append(1); return steps.many.result[1]"),
    "rows gone through": ("users", "for row in users: row['tags'].append(1)\nreturn [*users, users[0]]"),
    "a slice": ("users", "part = users[:2]; part[0]['tags'].append(1); return [part, users[0]]"),
    "a failed row": ("users", "users.failed[0]['tags'].append(1); return users.failed[0]"),
    "counts": ("users", "users.counts['failed'] += 1; return users.counts.failed"),
    "an error": ("error", "error.message += 'x'; return error.message"),
}


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.promise("5.35")
def test_no_item_sees_what_another_did(change: str) -> None:
    name, code = CHANGES[change]
    if change == "a parameter's part":
        code = "params['base']['tags'].append(1); params.base['kind'] += 'x'; return params.base"
    function = prepared(code, [name])
    first, second, third = (encode_result(function({"id": 1})) for _ in range(3))
    assert first == second == third


def test_within_an_item_a_change_stays() -> None:
    code = "for view in (params.base, users[1], steps.one.result): view['tags'] = view.get('tags', []) + [7]\n"
    code += "return [params['base']['tags'], users[1]['tags'], steps['one'].result['tags']]"
    assert prepared(code, ["params", "users", "steps"])({}) == [[7], [7], [7]]


def test_a_function_gets_fresh_values(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "changing.py").write_text("def add(item, seen, factor=2): seen.append(item); return seen * factor\n")
    monkeypatch.syspath_prepend(tmp_path)
    fixed = {"seen": {"json": [0]}, "factor": {"json": 1}}
    told = {"kind": "function", "function": "changing:add", "inputs": ["seen", "factor"]}
    function = prepared("", ["seen", "factor"], fixed, **told)
    assert [function(1), function(2)] == [[0, 1], [0, 2]]


def test_functions_of_setup_see_fresh_values_as_setup_left_them() -> None:
    setup = "params['seen'] = []\nown = []\ndef see(item):\n    params['seen'].append(item); own.append(item)\n    return params['seen']"
    told = {"setup": setup, "setup_line": 1, "setup_fixed": {"params": FIXED["params"]}}
    function = prepared("return [see(item), len(own)]", [], **told)
    assert [function(1), function(2)] == [[[1], 1], [[2], 2]]


def test_what_setup_made_of_a_constant_is_its_own() -> None:
    told = {
        "setup": "base = object()\nparams['made'] = base\ndef see(): return params['made'] is base",
        "setup_line": 1,
    }
    told["setup_fixed"] = {"params": FIXED["params"], "base": FIXED["base"]}
    assert prepared("return see()", [], **told)(1) is True


@pytest.mark.parametrize("each", ["batch.items", "batch['items']"])
def test_items_of_a_batch_are_each_ones_own(each: str) -> None:
    function = prepared(
        f"{each}.append(9); {each}[0]['a'] = 9; return [batch.size, {each}]",
        [],
        names=["batch"],
        takes_item=False,
        views={"batch": "batch"},
    )
    units = [[{"index": 0, "total": None, "item": number, "shared": 0}] for number in range(3)]
    spread_items(units, 0, [[{"a": 1}, {"a": 2}]])
    assert [function(unit) for unit in units] == [[2, [{"a": 9}, {"a": 2}, 9]]] * 3


# ---------------------------------------------------------------- large values

LARGE = {"rows": [{"n": 1}] * 3, "text": "x" * SMALL}
REFUSED = [
    *("['new'] = 1", "['rows'] = 1", ".update(a=1)", ".pop('rows')", ".popitem()", ".clear()", ".setdefault('a', 1)"),
    *("['rows'].append(1)", "['rows'][0] = 1", "['rows'][0]['n'] = 2", "['rows'][:] = []", "['rows'].sort()"),
    *("['rows'].extend([1])", "['rows'].insert(0, 1)", "['rows'].remove(1)", "['rows'].pop()", "['rows'].reverse()"),
    *("['rows'].clear()", "['rows'] += [1]", "['rows'] *= 2", "['rows'][0].update(n=2)"),
]


@pytest.mark.parametrize("change", REFUSED)
@pytest.mark.parametrize("name", ["base", "params.base", "steps.one.result", "users[0]"])
@pytest.mark.promise("5.37")
def test_a_large_value_refuses_to_be_changed_and_names_itself(name: str, change: str) -> None:
    fixed = {
        "base": {"json": LARGE},
        "params": {"names": {"base": LARGE, "n": 1}},
        "steps": {"steps": {"one": {"result": LARGE, "status": "succeeded", "error": None}}},
    }
    told = {**FIXED, **fixed}
    program = {
        "kind": "code",
        "code": f"{name}{change}",
        "file": "f.yaml",
        "line": 1,
        "names": ["item"],
        "takes_item": True,
    }
    program["fixed"] = {each: told[each] for each in ("base", "params", "steps", "users")}
    function = prepare_program(program, lambda _query: [LARGE]).function
    for _ in range(2):
        with pytest.raises(TypeError) as caught:
            function(1)
        assert f"`{name}` is read-only" in str(caught.value) and f"copy.deepcopy({name})" in str(caught.value)


@pytest.mark.parametrize("change", ["del base['rows']", "del base['rows'][0]", "base |= {'a': 1}"])
def test_statements_are_refused_too(change: str) -> None:
    with pytest.raises(TypeError, match="`base` is read-only"):
        prepared(change, ["base"], {"base": {"json": LARGE}})(1)


@pytest.mark.promise("5.37")
def test_a_large_value_is_made_once_and_can_be_read_and_copied() -> None:
    function = prepared("return base", ["base"], {"base": {"json": LARGE}})
    value = function(1)
    assert value is function(2) and value == LARGE and isinstance(value, dict) and isinstance(value["rows"], list)
    assert json.loads(encode_result(value)) == LARGE == json.loads(json.dumps(value))
    for copied in (copy.deepcopy(value), pickle.loads(pickle.dumps(value))):
        copied["rows"][0]["n"] = 5
        assert type(copied) is dict and value == LARGE
    for shallow in (copy.copy(value), value.copy(), {**value}, value | {"a": 1}, dict(value)):
        shallow["a"] = 2
        assert "a" not in value
    rows = value["rows"]
    for changed in (
        copy.copy(rows),
        rows.copy(),
        rows.__add__([1]),
        rows[:],
        sorted(rows, key=str),
        copy.deepcopy(rows),
    ):
        changed.append(1)
    assert value == LARGE


@pytest.mark.promise("5.36")
def test_the_limit_is_64_kib_of_json() -> None:
    fits, larger = ["x" * (SMALL - 4)], ["x" * (SMALL - 3)]
    assert type(maker("a", fits)()) is list and maker("a", fits)() is not maker("a", fits)()
    make = maker("a", larger)
    assert make() is make() and type(make()) is type(read_only("a", []))
    wide = maker("a", ["ü" * (SMALL // 2)])
    assert wide() is wide(), "bytes are counted, not letters"
