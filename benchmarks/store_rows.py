"""How many units a second the stores record, commits included, and how fast they are read again.

    python benchmarks/store_rows.py [UNITS [URL]]

Over SQLite; with the URL of a PostgreSQL server over both in turns, in schemas of their own that are dropped afterwards.

One call has 1,000 units, as small Python tasks have them; every call is claimed, in the checkpoint before. `alone`: one
thread submits and does nothing else; `busy`: that thread spends as much again on its own work, as a coordinator does.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path

from batchwork.model import (
    AttemptRecord,
    Checkpoint,
    Claim,
    Counts,
    Failure,
    RunRecord,
    RunStatus,
    Successes,
    UnitRecord,
    UnitStatus,
)
from batchwork.ports import Opening
from batchwork.store import open_store

CALL = 1000


def filled(where: str, units: int, durability: str, work: Callable[[], None] = lambda: None, **shape: object) -> float:
    """Record `units` units and give the seconds that it took, from the first submission to the last report."""
    store = open_store(where, Opening(durability=durability))  # type: ignore[arg-type]
    store.create_run(RunRecord("r", "n", "f", "w", "{}", "{}", RunStatus.RUNNING, 0), [("s", True)])
    step = store.steps("r")[0].number
    done, errors = threading.Semaphore(0), list[Exception | None]()

    def committed(error: Exception | None) -> None:
        errors.append(error)
        done.release()

    keys = [str(seq) for seq in range(units)]
    results = [f'{{"x":{seq}}}' for seq in range(units)]
    started = time.perf_counter()
    for number, first in enumerate(range(0, units, CALL)):
        part = range(first, min(first + CALL, units))
        upcoming = range(part.stop, min(part.stop + CALL, units))
        work()
        store.submit(
            Checkpoint(
                step,
                claims=[Claim(number + 1, 1, upcoming, keys[upcoming.start : upcoming.stop])] if upcoming else (),
                ended=[number],
                counts=Counts(None, part.stop),
                **made(part, keys, results, bool(shape.get("failing"))),
            ),
            committed,
        )
    for _ in range(0, units, CALL):
        done.acquire()
    seconds = time.perf_counter() - started
    assert errors == [None] * len(errors)
    assert store.count(step).finished == units
    store.close()
    return seconds


def made(part: range, keys: list[str], results: list[str], failing: bool) -> dict[str, object]:
    own, count = keys[part.start : part.stop], len(part)
    if not failing:
        return {
            "successes": [
                Successes(1, 0, "w1", part, part, own, [None] * count, results[part.start : part.stop], [7] * count)
            ]
        }
    failure = Failure("ValueError", "it broke", "Traceback (most recent call last): …")
    return {
        "records": [
            UnitRecord(seq, seq, key, UnitStatus.FAILED, 1, failure=failure) for seq, key in zip(part, own, strict=True)
        ],
        "attempts": [AttemptRecord(seq, 1, failure, 0, 7, "w1") for seq in part],
    }


def spun() -> None:
    """About 3 ms of Python."""
    sum(number * number for number in range(50_000))


def timed(name: str, units: int, act: Callable[[], object]) -> None:
    started = time.perf_counter()
    act()
    seconds = time.perf_counter() - started
    print(f"{name:<44} {seconds:7.2f} s   {units / seconds:>10,.0f} a second", flush=True)


def read(where: str, units: int) -> None:
    store = open_store(where)
    step = 1

    def pages() -> None:
        after = -1
        while (page := store.page(step, after, 5000)).seqs:
            after = page.seqs[-1]

    def listing() -> None:
        start = 0
        while views := store.units(step, start=start, limit=1000):
            start += len(views)
        assert start == units

    def results() -> None:
        for start in range(0, units, 1000):
            assert len(store.results(step, start, 1000)) == 1000

    timed("resume: all pages of 5,000", units, pages)
    timed("results in pages of 1,000", units, results)
    timed("units in pages of 1,000", units, listing)
    timed("index of keys, first match of 1,000", 1000, lambda: store.match(step, [str(seq) for seq in range(1000)]))
    timed("match 100,000 keys", 100_000, lambda: store.match(step, [str(seq) for seq in range(100_000)]))
    timed("count", units, lambda: store.count(step))
    timed("failed units, of which there are none", units, lambda: store.units(step, UnitStatus.FAILED))
    timed("one unit by key", 1, lambda: store.units(step, key=str(units // 2)))
    timed("move 100,000 units", 100_000, lambda: moved(store, step, 100_000))
    timed("results after it (makes an index)", 1000, lambda: store.results(step, 0, 1000))
    timed("units in pages of 1,000", units, listing)
    store.close()


def moved(store: object, step: int, count: int) -> None:
    done = threading.Event()
    moves = [(seq, seq ^ 1) for seq in range(count)]
    store.submit(Checkpoint(step, moves=moves), lambda error: done.set())  # type: ignore[attr-defined]
    done.wait()


WAYS = [
    ("full, alone", "full", lambda: None, False),
    ("fast, alone", "fast", lambda: None, False),
    ("full, busy", "full", spun, False),
    ("full, all failing", "full", lambda: None, True),
]


def main() -> None:
    units = int(sys.argv[1]) if len(sys.argv) > 1 else 1_000_000
    url = sys.argv[2] if len(sys.argv) > 2 else None
    with tempfile.TemporaryDirectory(dir=".") as folder, emptied(url) if url else nullcontext([]) as schemas:
        for at, (name, durability, work, failing) in enumerate(WAYS):
            count = units // 5 if failing else units
            for kind, where in {"SQLite": f"{folder}/{at}.db", "PostgreSQL": "".join(schemas[at : at + 1])}.items():
                if where:
                    seconds = filled(where, count, durability, work, failing=failing)
                    print(
                        f"record: {name:<24}{kind:<12} {seconds:7.2f} s   {count / seconds:>10,.0f} a second",
                        flush=True,
                    )
        print(f"{Path(f'{folder}/0.db').stat().st_size / units:.0f} bytes a unit in SQLite")
        if url:
            print(f"{taken(url) / units:.0f} bytes a unit in PostgreSQL")
        for where in [f"{folder}/0.db", *schemas[:1]]:
            print(where.partition(":")[0])
            read(where, units)
        print(f"peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss >> 10} MB")


@contextmanager
def emptied(url: str) -> Iterator[list[str]]:
    """The URLs of new schemas of a server."""
    names = [f"batchwork_bench_{number}" for number in range(len(WAYS))]
    asked(url, *(f"drop schema if exists {name} cascade" for name in names))
    yield [f"{url}{'&' if '?' in url else '?'}schema={name}" for name in names]
    asked(url, *(f"drop schema if exists {name} cascade" for name in names))


def taken(url: str) -> int:
    """Bytes in the tables and indexes of the first schema."""
    return asked(
        url,
        "select sum(pg_total_relation_size(pg_class.oid))::bigint from pg_class "
        "join pg_namespace on pg_namespace.oid = relnamespace where nspname = 'batchwork_bench_0' and relkind = 'r'",
    )[0]


def asked(url: str, *statements: str) -> tuple[int, ...]:
    import psycopg

    with psycopg.connect(url, autocommit=True) as connection:
        found = [connection.execute(statement.encode()) for statement in statements][-1]
        return (found.fetchone() or ()) if found.description else ()


if __name__ == "__main__":
    main()
