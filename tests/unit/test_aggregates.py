"""Aggregates: how much one may hold in memory."""

from __future__ import annotations

import pytest

from batchwork.engine.run.outcome import aggregates
from batchwork.engine.run.outcome.aggregates import Aggregate, AggregateError
from batchwork.export.pages import Page
from batchwork.export.rows import UnitRows
from batchwork.plan.model import AggregatePlan
from batchwork.spec.fields.aggregate import Function
from batchwork.template import Value


def page_of(*results: int) -> Page:
    count = len(results)
    rows = UnitRows(
        range(count),
        [*map(str, results)],
        ["succeeded"] * count,
        [1] * count,
        [None] * count,
        [None] * count,
        [None] * count,
    )
    return Page(rows, results, [None] * count)


def aggregate(function: Function, *, grouped: bool) -> Aggregate:
    value = Value.of("{{ result }}")
    return Aggregate("a", AggregatePlan(function, value, value if grouped else None))


@pytest.mark.parametrize(
    ("function", "grouped", "fits", "message"),
    [
        ("count", True, [1, 2, 3, 1, 2, 3], "has more than 3 groups"),
        ("collect", False, [1, 2, 3], "collects more than 3 values"),
        ("collect", True, [1, 1, 2], "collects more than 3 values"),
    ],
)
def test_as_many_as_are_allowed_and_not_one_more(
    function: Function, grouped: bool, fits: list[int], message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(aggregates, "MOST_GROUPS", 3)
    monkeypatch.setattr(aggregates, "MOST_COLLECTED", 3)
    whole = aggregate(function, grouped=grouped)
    whole.take(page_of(*fits), {})
    assert whole.end()
    with pytest.raises(AggregateError, match=f"`a` of `aggregate` {message}"):
        whole.take(page_of(4), {})
