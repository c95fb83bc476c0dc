"""The items that failed, as JSON Lines that another run can take for its items."""

from __future__ import annotations

from collections.abc import Iterator

from batchwork.engine.run.outcome.results_file import target_for
from batchwork.engine.unit.brief import StepBrief
from batchwork.export.sink import Sink
from batchwork.model import UnitStatus
from batchwork.plan.model import ResultsPlan
from batchwork.ports import Store
from batchwork.ports.recorded import item_of
from batchwork.text.jsontext import Json, encode

PAGE = 500


def write_failed_items(plan: ResultsPlan, brief: StepBrief, store: Store) -> None:
    """Write the value of each failed unit, of batches those of their members. Raises OutputError, UsageError, RenderError."""
    if plan.failed is None:
        return
    with Sink(target_for(plan.failed, "jsonl", brief)) as sink:
        batch = brief.plan.batch
        for value in _failed(store, brief.number):
            members = value if batch is not None and batch.each == "batch" and isinstance(value, list) else [value]
            sink.file.writelines(f"{encode(member)}\n".encode() for member in members)
        sink.commit()


def _failed(store: Store, step: int) -> Iterator[Json]:
    start = 0
    while page := store.units(step, UnitStatus.FAILED, start, PAGE):
        yield from (item_of(view.record) for view in page if view.record.index is not None)
        start += len(page)
