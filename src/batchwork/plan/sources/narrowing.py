"""`filter`, `skip` and `limit` of a source of items, checked. They are applied elsewhere."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from batchwork.errors import Problem
from batchwork.plan.knowns import Knowns
from batchwork.ports import NarrowingFields, SourceType
from batchwork.spec.readers import has_template
from batchwork.spec.yaml.nodes import Entry, Node, ScalarNode, describe
from batchwork.template import Value


def plan_narrowing(written: Mapping[str, Entry], source: SourceType, knowns: Knowns) -> dict[str, Value | None]:
    """The values of those that are written, None for one that is wrong. A field of that name that a source has itself is the source's."""
    own = {field.encode_name for field in msgspec.structs.fields(source.Fields)}
    names = [field.encode_name for field in msgspec.structs.fields(NarrowingFields) if field.encode_name not in own]
    return {
        name: (_filter if name == "filter" else _count)(name, written[name].node, knowns)
        for name in names
        if name in written
    }


def _filter(name: str, node: Node, knowns: Knowns) -> Value | None:
    if isinstance(node, ScalarNode) and has_template(node):
        value = knowns.value(node, {*knowns.names, "item"})
        if value is None or (value.template is not None and value.template.lone):
            return value
        message = f"`{name}` must give true or false, but a template with text around it gives text"
    else:
        message = f"`{name}` must be a template that gives true or false, but it is {describe(node)}"
    knowns.problems.append(Problem(node.place, message, 'write one expression: "{{ item.size > 10 }}"'))
    return None


def _count(name: str, node: Node, knowns: Knowns) -> Value | None:
    value = knowns.value(node, knowns.names)
    if value is None or not value.is_constant:
        return value
    count = value.json
    if isinstance(count, int) and not isinstance(count, bool) and count >= 0:
        return value
    knowns.problems.append(Problem(node.place, f"`{name}` must be a whole number from 0, but it is {describe(node)}"))
    return None
