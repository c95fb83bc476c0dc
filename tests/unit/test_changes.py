"""The difference between what a workflow did and does, in words."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchwork.engine.run.resume_check import SHOWN, differences, listed

A: dict[str, Any] = {"fetch": {"task": "shell", "fields": {"command": "echo 1"}}, "sum": {"task": "python"}}


@pytest.mark.parametrize(
    ("new", "expected"),
    [
        (A, []),
        ({"sum": A["sum"]}, ["step `fetch` is gone"]),
        ({**A, "more": {}}, ["step `more` is new"]),
        (
            {"sum": A["sum"], "fetch": A["fetch"]},
            ["the order of the steps was `fetch`, `sum` and is `sum`, `fetch`"],
        ),
        (
            {**A, "fetch": {"task": "shell", "fields": {"command": "echo 2", "cwd": "x"}}},
            [
                'step `fetch`: `fields.command` was "echo 1" and is "echo 2"',
                'step `fetch`: `fields.cwd` is new: "x"',
            ],
        ),
        ({**A, "fetch": {"fields": A["fetch"]["fields"]}}, ['step `fetch`: `task` is gone, it was "shell"']),
        ({**A, "sum": {"task": 1}}, ['step `sum`: `task` was "python" and is 1']),
    ],
)
def test_differences(new: dict[str, Any], expected: list[str]) -> None:
    assert differences(A, new) == expected


def test_one_and_true_are_different() -> None:
    assert differences({"s": 1}, {"s": True}) == ["step `s`: `it` was 1 and is true"]


def test_a_long_list_is_cut() -> None:
    assert listed([str(number) for number in range(SHOWN + 5)]).endswith("\n  … and 5 more")
    assert listed([]) == ""


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=8,
)


@given(st.dictionaries(st.text(min_size=1, max_size=3), values, max_size=4))
def test_equal_ones_do_not_differ(value: dict[str, Any]) -> None:
    assert differences(value, value) == []
