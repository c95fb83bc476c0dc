"""What a Python task gets as `item`, told from its code; and which steps code uses."""

from __future__ import annotations

import pytest

from batchwork.plan.code import steps_used
from batchwork.plan.cycles import find_cycles
from batchwork.plan.each import takes_batch, unclear_call


@pytest.mark.parametrize(
    ("code", "line"),
    [
        ("return [f(r) for r in item]", 1),
        ("x = 1\nreturn len(item)", 2),
        ("for n, r in enumerate(item):\n    pass", 1),
        ("for a, b in zip(others, sorted(item)):\n    pass", 1),
        ("s = sum(r for r in item)", 1),
        ("return item['name']", None),
        ("return f(item)", None),
        ("return [c for c in item.parts]", None),
        ("return len(item.parts)", None),
        ("for item in things:\n    print(len(item))", None),
        ("return [len(item) for item in things]", None),
        ("def f(item):\n    return len(item)\nreturn f(1)", None),
        ("return items and len(items)", None),
        ("for r in item: (", None),
        ("x = 'for r in item'", None),
    ],
)
@pytest.mark.promise("6.32")
def test_code_that_iterates_over_item_takes_a_batch(code: str, line: int | None) -> None:
    assert takes_batch(code, {"item"}) == line


@pytest.mark.parametrize(
    ("code", "call"),
    [
        ("x = 1\nreturn sum(item)", (2, "sum")),
        ("return sorted(item, key=len)", (1, "sorted")),
        ("return list(map(str, item))", (1, "map")),
        ("return max(item)", (1, "max")),
        ("return max(item, 3)", None),
        ("return sum(item['values'])", None),
        ("return sum(f(item) for f in functions)", None),
        ("return mine.sum(item)", None),
        ("item = [1]\nreturn sum(item)", None),
        ("sum = mine\nreturn sum(item)", None),
        ("return dict(item)", None),
        ("return sum(item", None),
    ],
)
def test_code_that_takes_all_of_item_tells_nothing(code: str, call: tuple[int, str] | None) -> None:
    assert unclear_call(code, {"item"}) == call


def test_a_further_name_counts_too() -> None:
    assert takes_batch("for row in rows:\n    pass", {"item", "rows"}) == 1


@pytest.mark.parametrize(
    ("code", "names", "others"),
    [
        ("return steps.a.result", {"a": 1}, False),
        ("x = 1\nreturn steps['b-c'].result", {"b-c": 2}, False),
        ("return [steps[n] for n in names]", {}, True),
        ("return steps", {}, True),
        ("return my.steps", {}, False),
        ("steps.a.result\nlist(steps)", {"a": 1}, True),
        ("steps.(", {}, False),
    ],
)
def test_steps_that_code_uses(code: str, names: dict[str, int], others: bool) -> None:
    assert steps_used(code) == (names, others)


def test_cycles_are_found_without_recursion() -> None:
    chain = {str(n): [str(n + 1)] for n in range(5000)}
    assert find_cycles(chain) == []
    assert find_cycles({**chain, "5000": ["0"]})[0] == [str(n) for n in range(5001)]
    assert find_cycles({"a": ["b", "c"], "b": ["d"], "c": ["d"], "d": []}) == []
    assert find_cycles({"a": ["a"], "b": ["c"], "c": ["b"]}) == [["a"], ["b", "c"]]
