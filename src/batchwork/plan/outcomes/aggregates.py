"""AggregateSpec to AggregatePlan: which templates are computed of all units of a step."""

from __future__ import annotations

from collections.abc import Mapping

from batchwork.export.pages import ROW_NAMES
from batchwork.plan.knowns import Knowns
from batchwork.plan.model import AggregatePlan
from batchwork.spec.fields.aggregate import AggregateSpec


def plan_aggregates(specs: Mapping[str, AggregateSpec], knowns: Knowns) -> dict[str, AggregatePlan]:
    """The aggregates by name, without those that cannot be told. All problems are found in any case."""
    names = knowns.names | ROW_NAMES
    found = {}
    for name, spec in specs.items():
        by = None if spec.by is None else knowns.value(spec.by, names)
        for function, node in spec.written:
            value = knowns.value(node, names)
            if value is not None:
                found[name] = AggregatePlan(function, value, by)
    return found
