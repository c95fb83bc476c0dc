"""The fields of an entry of `aggregate`, of a batch step: what is computed of all units, and by what they are grouped."""

from collections.abc import Mapping
from typing import Annotated, Literal

from msgspec import Struct

from batchwork.errors import Place, Problem
from batchwork.spec.field import Field
from batchwork.spec.mapping import Block
from batchwork.spec.readers import NODE, Reader, wrong
from batchwork.spec.yaml.nodes import MapNode, Node

Function = Literal["count", "sum", "min", "max", "mean", "collect"]
FUNCTIONS: tuple[Function, ...] = ("count", "sum", "min", "max", "mean", "collect")
_FORM = 'for example {total: {sum: "{{ result.amount }}", by: "{{ item.country }}"}}'


class AggregateSpec(Struct, frozen=True, kw_only=True):
    """What may be written under a name in `aggregate`. Exactly one of the functions is there."""

    place: Place
    count: Annotated[Node | None, Field(NODE, "how many give something other than null and false", template=False)] = (
        None
    )
    sum: Annotated[Node | None, Field(NODE, "the sum of numbers; 0 where there are none", template=False)] = None
    min: Annotated[Node | None, Field(NODE, "the smallest of numbers or of texts", template=False)] = None
    max: Annotated[Node | None, Field(NODE, "the largest of numbers or of texts", template=False)] = None
    mean: Annotated[Node | None, Field(NODE, "the mean of numbers", template=False)] = None
    collect: Annotated[Node | None, Field(NODE, "all values, in input order", template=False)] = None
    by: Annotated[
        Node | None,
        Field(NODE, "what groups are told by: the aggregate is a mapping then", default="one group", template=False),
    ] = None

    @property
    def written(self) -> list[tuple[Function, Node]]:
        """The functions that are there."""
        found = ((name, getattr(self, name)) for name in FUNCTIONS)
        return [(name, node) for name, node in found if node is not None]


class _AggregatesReader(Reader[Mapping[str, AggregateSpec]], frozen=True):
    """A mapping of names to entries."""

    def __call__(self, field: str, node: Node, problems: list[Problem]) -> Mapping[str, AggregateSpec] | None:
        if not isinstance(node, MapNode):
            problems.append(wrong(field, "a mapping of names", node, _FORM))
            return None
        found = {}
        for name, entry in node.entries.items():
            if not isinstance(entry.node, MapNode):
                problems.append(wrong(f"{field}.{name}", "a mapping", entry.node, _FORM))
                continue
            block = Block(entry.node, f"`{name}` of `{field}`", [AggregateSpec], problems)
            spec = AggregateSpec(place=entry.place, **block.read(AggregateSpec))
            if len(spec.written) != 1:
                message = f"`{name}` of `{field}` needs exactly one of count, sum, min, max, mean, collect"
                problems.append(Problem(entry.place, message, _FORM))
            found[name] = spec
        return found


AGGREGATES: Reader[Mapping[str, AggregateSpec]] = _AggregatesReader(
    "mapping", {"type": "object", "additionalProperties": {"$ref": "#/$defs/aggregate"}}
)
