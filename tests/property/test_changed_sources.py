"""Sources that change between the executions of a step, whatever the changes: nothing done is run again, nothing is lost, the sum holds."""

from __future__ import annotations

import tempfile
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from step_plans import batch_plan, step_plan, task_plan

from batchwork.censor import NoCensor
from batchwork.clock import SystemClock
from batchwork.engine.step.coordinator import Coordinator
from batchwork.engine.step.fate import Fate, StepDone
from batchwork.engine.stopping.stop_level import Control
from batchwork.engine.unit.brief import Equipment, Start, StepBrief
from batchwork.model import RunRecord, RunStatus
from batchwork.ports import Opening, Setting, Store
from batchwork.spec.fields.retry import RetryPolicy
from batchwork.store import open_store
from batchwork.template import Value
from batchwork.testing.fakes import CallableTask, Collected, callable_executors
from batchwork.text.jsontext import Json, decode

ITEMS = st.lists(st.sampled_from("abcdefghij"), max_size=14)
BAD = st.sampled_from(["", "", "c", "ag", "abcdefghij"])
READINGS = st.lists(st.tuples(ITEMS, st.integers(0, 12), BAD), min_size=1, max_size=4)
Readings = list[tuple[list[str], int, str]]
"""For each execution the items, after how many calls it is stopped, and which items fail; the last one has no trouble."""


class History:
    """Executions of one step, one after another, each with its own source; the last one is not stopped."""

    def __init__(self, store: Store, **batch: Any) -> None:
        self.store, self.batch = store, batch
        store.create_run(RunRecord("r1", "flow", "flow.yaml", "", "{}", "{}", RunStatus.RUNNING, 0), [("s", True)])
        self.number = store.steps("r1")[0].number
        self.done: Counter[str] = Counter()  # how often each item was in something that succeeded

    def run(self, items: list[str], stop_after: int | None, bad: str, resumed: bool) -> Fate:
        control = Control(SystemClock())
        calls = 0

        def act(payload: dict[str, Any]) -> object:
            nonlocal calls
            calls += 1
            if stop_after is not None and calls >= stop_after:
                control.raise_to(1, "test")
            item = payload["item"]
            if any(part in bad for part in item):
                raise ValueError(f"one of {bad}")
            self.done.update(item)
            return item

        if stop_after == 0:
            control.raise_to(1, "at once")
        plan = step_plan(
            "s",
            task=task_plan(CallableTask(act)),
            batch=batch_plan(Value.constant(list[Json](items)), slots=1, parallel=False, **self.batch),
            retry=RetryPolicy(),
        )
        setting = Setting("s", {}, frozenset(), {}, "/", "/", None)
        order = StepBrief(plan, self.number, "r1", Start.of(not resumed, False), {}, setting, "cookie", NoCensor())
        end = Coordinator(order, Equipment(self.store, callable_executors, Collected(), SystemClock()), control).run()
        rows = self.store.count(self.number)
        if isinstance(end, StepDone):
            counted = (end.counts.succeeded, end.counts.failed, end.counts.skipped)
            assert counted == (rows.succeeded, rows.failed, rows.skipped)
            assert end.counts.pending == 0
        return end

    def present(self) -> list[Json]:
        """Results of what is there, in order."""
        return [None if text is None else decode(text) for text in self.store.results(self.number, 0, 1000)]

    def go(self, readings: Readings) -> None:
        for number, (items, stop_after, bad) in enumerate(readings[:-1]):
            self.run(items, stop_after, bad, resumed=number > 0)
            self.store.reopen(self.number, None)
        end = self.run(readings[-1][0], None, "", resumed=len(readings) > 1)
        assert isinstance(end, StepDone), end


def history(folder: str, kind: str, **batch: Any) -> History:
    return History(
        open_store("memory:" if kind == "memory" else str(Path(folder) / "s.db"), Opening(durability="fast")), **batch
    )


KINDS = pytest.mark.parametrize(("kind", "examples"), [("memory", 200), ("sqlite", 20)])


@pytest.mark.fault("K04")
@KINDS
@pytest.mark.promise("9.37", "10.05", "9.51")
def test_items(kind: str, examples: int):
    @settings(max_examples=examples)
    @given(READINGS, st.sampled_from(["keep", "skip"]), st.booleans())
    def holds(readings: Readings, on_duplicate: str, views: bool) -> None:
        with tempfile.TemporaryDirectory() as folder:
            told = history(folder, kind, on_duplicate=on_duplicate, batch_size=3 if views else 1)
            told.go(readings)
            last = readings[-1][0]
            if on_duplicate == "keep":
                assert told.present() == last
            else:
                assert [item for item in told.present() if item is not None] == list(dict.fromkeys(last))
            most = max((items.count(item) for items, _, _ in readings for item in items), default=0)
            assert all(count <= (most if on_duplicate == "keep" else 1) for count in told.done.values())
            told.store.close()

    holds()


@pytest.mark.fault("K04")
@KINDS
@pytest.mark.promise("9.39")
def test_batches(kind: str, examples: int):
    @settings(max_examples=examples)
    @given(READINGS, st.sampled_from(["keep", "skip"]), st.integers(1, 4))
    def holds(readings: Readings, on_duplicate: str, size: int) -> None:
        with tempfile.TemporaryDirectory() as folder:
            told = history(folder, kind, on_duplicate=on_duplicate, each="batch", batch_size=size)
            told.go(readings)
            batches = told.present()
            assert all(isinstance(batch, list) and 0 < len(batch) <= size for batch in batches)
            there = Counter(item for batch in batches for item in batch)
            last = readings[-1][0]
            wanted = Counter(last) if on_duplicate == "keep" else Counter(set(last))
            assert all(there[item] >= count for item, count in wanted.items()), "nothing is lost"
            most = {item: max(items.count(item) for items, _, _ in readings) for item in there}
            for item, count in told.done.items():
                allowed = most.get(item, 99) if on_duplicate == "keep" else 1
                assert count <= allowed, f"{item} was done {count} times"
            told.store.close()

    holds()
