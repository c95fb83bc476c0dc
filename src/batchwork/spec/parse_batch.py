"""Nodes to BatchSpec: the inputs of a batch step, and `for_each` with what stands beside it."""

from __future__ import annotations

from batchwork.errors import Problem
from batchwork.spec.fields.batch import BatchSettings, BatchSpec, ParallelSpec
from batchwork.spec.mapping import Block
from batchwork.spec.parse_task import TASK_FORM
from batchwork.spec.written import MaybeTemplate, WrittenSettings
from batchwork.spec.yaml.nodes import Entry, MapNode, ScalarNode

ITEMS_FORM = "for example `items: [a, b]`, `items: $(ls *.csv)` or `items: {from: jsonl, path: …}`"


def parse_batch(node: MapNode, problems: list[Problem]) -> BatchSpec:
    """The inputs of a batch step."""
    block = Block(node, "the inputs of a batch step", [BatchSpec, BatchSettings], problems)
    block.require("items", ITEMS_FORM)
    block.require("task", TASK_FORM)
    unfold_parallel(block)
    return BatchSpec(place=node.place, settings=block.settings(BatchSettings), **block.read(BatchSpec))


def parse_for_each(for_each: Entry, parallel: MaybeTemplate[bool], max_parallel: MaybeTemplate[int]) -> BatchSpec:
    """What `for_each` in a step, and what stands beside it, are short for."""
    shared = {"each": "item", "parallel": parallel}
    settings = {name: value for name, value in shared.items() if value is not None}
    return BatchSpec(
        items=for_each.node,
        place=for_each.place,
        shorthand=True,
        settings=WrittenSettings(BatchSettings, for_each.place, settings),
        max_parallel=max_parallel,
    )


def unfold_parallel(block: Block) -> None:
    """`parallel: {max_parallel: N}` becomes `parallel: true` and `max_parallel: N`."""
    entry = block.entries.get("parallel")
    if entry is None or not isinstance(entry.node, MapNode):
        return
    inner = Block(entry.node, "`parallel`", [ParallelSpec], block.problems)
    inner.require("max_parallel")
    block.entries["parallel"] = Entry(entry.place, ScalarNode(entry.node.place, True, "true"))
    most = inner.entries.get("max_parallel")
    if most is None:
        return
    if "max_parallel" in block.entries:
        message = "`max_parallel` is given twice, in `parallel` and beside it"
        block.problems.append(Problem(most.place, message, "keep one of them"))
    block.entries["max_parallel"] = most
