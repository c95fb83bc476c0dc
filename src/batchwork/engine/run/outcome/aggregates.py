"""What is computed of all units of a step: counts, sums, extremes, means, lists, in groups or not, in one pass over the store.

A template that uses `result` gives null for a unit that has none. Null is left out of every aggregate; a count leaves out false, too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from math import inf, isfinite
from typing import Final

from msgspec import Struct

from batchwork.engine.unit.brief import StepBrief
from batchwork.errors import BatchworkError
from batchwork.export.layout import TableSpec, page_of
from batchwork.export.pages import Page, Unfit, values_of
from batchwork.export.rows import RowReader
from batchwork.plan.model import AggregatePlan
from batchwork.ports import Store
from batchwork.spec.fields.aggregate import Function
from batchwork.text.jsontext import Json, encode
from batchwork.text.wording import short

MOST_GROUPS: Final = 100_000
MOST_COLLECTED: Final = 100_000
"""Groups of one aggregate, and values that one collects: they are in memory, and stand in the store as one text."""


class AggregateError(BatchworkError):
    """An aggregate cannot be computed."""


class Folding(Struct):
    """One group of an aggregate while it is computed."""

    count: int = 0
    value: Json = None

    def take(self, function: Function, value: Json) -> None:
        """Raises TypeError where the value is not one for that function."""
        self.value = _TAKE[function](self, value)
        self.count += 1

    def end(self, function: Function) -> Json:
        match function:
            case "count":
                return self.count
            case "sum":
                return self.value or 0
            case "mean":
                return None if not self.count else _number(self.value) / self.count
            case "collect":
                return self.value or []
            case "min" | "max":
                return self.value


def _number(value: Json) -> int | float:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise TypeError("it is no number")
    return value


def _sum(group: Folding, value: Json) -> Json:
    return _number(value) + (_number(group.value) if group.count else 0)


def _extreme(choose: Callable[..., Json]) -> Callable[[Folding, Json], Json]:
    def take(group: Folding, value: Json) -> Json:
        if not isinstance(value, str):
            _number(value)
        if group.count and isinstance(value, str) != isinstance(group.value, str):
            raise TypeError(f"it cannot be compared with {short(repr(group.value), 60)}")
        return choose(group.value, value) if group.count else value

    return take


def _collect(group: Folding, value: Json) -> Json:
    values = group.value if isinstance(group.value, list) else []
    values.append(value)
    return values


_TAKE: Mapping[Function, Callable[[Folding, Json], Json]] = {
    "count": lambda _group, _value: None,
    "sum": _sum,
    "mean": _sum,
    "min": _extreme(min),
    "max": _extreme(max),
    "collect": _collect,
}


class Aggregate:
    """One aggregate while it is computed."""

    def __init__(self, name: str, plan: AggregatePlan) -> None:
        self._name, self._plan = name, plan
        self._groups: dict[str, Folding] = {} if plan.by is not None else {"": Folding()}
        self._collected = 0

    def take(self, page: Page, constants: Mapping[str, object]) -> None:
        """The units of a page. Raises AggregateError."""
        plan, at = self._plan, 0
        try:
            values = values_of(plan.value, page, constants)
            groups = [""] * len(values) if plan.by is None else values_of(plan.by, page, constants)
            for at, (value, by) in enumerate(zip(values, groups, strict=True)):  # noqa: B007 - the unit of an error
                if value is None or by is None or (plan.function == "count" and value is False):
                    continue
                self._group(by if isinstance(by, str) else encode(by)).take(plan.function, value)
        except (TypeError, OverflowError) as error:
            raise self._wrong(page, at, str(error)) from error
        except Unfit as error:
            raise self._wrong(page, error.offset, error.why) from error

    def _wrong(self, page: Page, at: int, why: str) -> AggregateError:
        index, key = page.rows.indexes[at], short(page.rows.keys[at], 60)
        return AggregateError(
            f"`{self._name}` of `aggregate`, index {index}, key {key}: {why}",
            "`resume`, with another template in the file, only computes it again",
        )

    def _group(self, by: str) -> Folding:
        self._collected += self._plan.function == "collect"
        if self._collected > MOST_COLLECTED:
            raise self._too_large(f"collects more than {MOST_COLLECTED:,} values")
        group = self._groups.get(by)
        if group is None:
            if len(self._groups) >= MOST_GROUPS:
                raise self._too_large(f"has more than {MOST_GROUPS:,} groups")
            group = self._groups[by] = Folding()
        return group

    def _too_large(self, what: str) -> AggregateError:
        return AggregateError(f"`{self._name}` of `aggregate` {what}", "`results` writes a file of any length")

    def end(self) -> Json:
        """What has been computed: of groups a mapping. Raises AggregateError where it is a number beyond all floats."""
        groups = {by: self._ended(by, group) for by, group in self._groups.items()}
        return groups if self._plan.by is not None else groups[""]

    def _ended(self, by: str, group: Folding) -> Json:
        try:
            found = group.end(self._plan.function)
        except OverflowError:
            found = inf
        if isinstance(found, float) and not isfinite(found):
            where = f"{self._plan.function} of the group {short(by, 60)}" if by else self._plan.function
            message = f"`{self._name}` of `aggregate`: the {where} is beyond what a number with a fraction can be"
            raise AggregateError(message, "scale the values in the template, such as `{{ result / 1000 }}`")
        return found


def aggregated(plans: Mapping[str, AggregatePlan], brief: StepBrief, store: Store) -> str:
    """JSON text of all aggregates by name, for the store. Raises AggregateError, StoreError."""
    names = frozenset[str]().union(
        *(value.roots for plan in plans.values() for value in (plan.value, plan.by) if value)
    )
    spec = TableSpec({}, reads_items="item" in names)
    found = {name: Aggregate(name, plan) for name, plan in plans.items()}
    for rows in RowReader(
        store, brief.number, items=spec.reads_items, failures=spec.wants_failures or "error" in names
    ).all():
        page = page_of(rows, spec)
        for aggregate in found.values():
            aggregate.take(page, brief.scope)
    return brief.censor.text(encode({name: aggregate.end() for name, aggregate in found.items()}))
