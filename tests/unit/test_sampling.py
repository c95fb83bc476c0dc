"""Samples of a run's use of the machine: regular ones, one for short runs, none that stop anything."""

from __future__ import annotations

import os
from collections.abc import Callable

import pytest

from batchwork.clock import SystemClock
from batchwork.errors import StoreError
from batchwork.model import RunRecord, RunStatus
from batchwork.ports.store import Sample
from batchwork.store.memory import MemoryStore
from batchwork.telling import sampling
from batchwork.telling.sampling import Sampler


@pytest.fixture(autouse=True)
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Looking may take all the time there is."""
    monkeypatch.setattr(sampling, "SHARE_MOST", 1.0)


def a_store() -> MemoryStore:
    store = MemoryStore(SystemClock())
    store.create_run(RunRecord("r1", "f", "f", "", "{}", "{}", RunStatus.RUNNING, 0), [])
    return store


def test_a_short_run_has_one_sample() -> None:
    store = a_store()
    sampler = Sampler("r1", store, SystemClock(), lambda: [(5.0, 1, 2, 3), (2.0, 9, 1, 1)])
    sampler.start()
    sampler.stop()
    (sample,) = store.samples("r1")
    assert (sample.units_per_s, sample.p50_us, sample.p95_us, sample.p99_us) == (7.0, 9, 2, 3)
    assert sample.rss_bytes > 1_000_000 and sample.processes == 1 and sample.descriptors > 2


def test_a_long_run_has_many(wait_for: Callable[..., None]) -> None:
    store = a_store()
    sampler = Sampler("r1", store, SystemClock(), list, every_s=0.01)
    sampler.start()
    wait_for(lambda: len(store.samples("r1")) >= 3, "samples")
    sampler.stop()
    taken = store.samples("r1")
    assert all(sample.rss_bytes > 1_000_000 and sample.processes >= 1 for sample in taken)
    assert [sample.at_ms for sample in taken] == sorted(sample.at_ms for sample in taken)


def test_cpu_is_that_of_the_time_between(wait_for: Callable[..., None]) -> None:
    store = a_store()
    sampler = Sampler("r1", store, SystemClock(), list, every_s=0.05)
    sampler.start()
    wait_for(lambda: sum(range(400_000)) and len(store.samples("r1")) >= 3, "samples of a busy process")
    sampler.stop()
    assert any(sample.cpu_percent > 5 for sample in store.samples("r1"))
    assert all(sample.cpu_percent < 400 for sample in store.samples("r1"))


def test_its_children_count(wait_for: Callable[..., None]) -> None:
    store = a_store()
    reading, writing = os.pipe()
    child = os.posix_spawn("/bin/sleep", ["sleep", "600"], os.environ)
    sampler = Sampler("r1", store, SystemClock(), list, every_s=0.01)
    try:
        sampler.start()
        wait_for(lambda: any(sample.processes >= 2 for sample in store.samples("r1")), "the child in a sample")
    finally:
        sampler.stop()
        os.kill(child, 9)
        os.waitpid(child, 0)
        os.close(reading)
        os.close(writing)
    assert store.samples("r1")[-1].processes >= 2


def test_a_store_that_takes_none_ends_it_quietly() -> None:
    class Full(MemoryStore):
        def add_sample(self, run: str, sample: Sample) -> None:
            raise StoreError("full")

    sampler = Sampler("r1", Full(SystemClock()), SystemClock(), list, every_s=0.001)
    sampler.start()
    sampler.stop()
    assert sampler.stop() is None
