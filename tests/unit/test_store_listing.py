"""How the SQLite store finds things: which indexes are used, when they are made, and that pages do not begin anew."""

from __future__ import annotations

import re
from pathlib import Path

import apsw
import pytest

from batchwork.model import Checkpoint, Claim, Counts, StepStatus, UnitStatus
from batchwork.ports import Opening, StepChange
from batchwork.store import open_store
from batchwork.store.sqlite import indexes
from batchwork.store.sqlite.statements import rows_statement, statement
from batchwork.store.tables import listing, matching
from batchwork.store.tables.blocks import codec, reading
from batchwork.store.tables.listing import FILTERS
from batchwork.store.tables.rows import first_id
from batchwork.testing.store_case import BROKE, commit, run_record, successes, unit

MANY = [f"k{number}" for number in range(matching.FEW + 1)]
"""So many keys that they are not looked for one by one."""


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "x.db"


def opened(path: Path, steps: int = 1, units: int = 1000, attempt: int = 2):
    """A store whose units are rows of their own; those of a first attempt are in blocks."""
    store = open_store(str(path), Opening(durability="fast"))
    store.create_run(run_record(), [(f"s{number}", True) for number in range(steps)])
    for number in range(1, steps + 1):
        commit(store, Checkpoint(number, successes=[successes(range(units), attempt=attempt)]))
    return store


def index_names(path: Path) -> set[str]:
    connection = apsw.Connection(str(path))
    names = {name for (name,) in connection.execute("select name from sqlite_schema where type = 'index'")}
    connection.close()
    return {name for name in names if re.search(r"_\d+$", name) and not name.startswith("sqlite")}


def plan(path: Path, text: str) -> str:
    connection = apsw.Connection(str(path))
    cells = {f"{number}": 1 for number in range(1, 9)} | dict.fromkeys(["after", "place", "size", "code", "key"], 1)
    cursor = connection.execute(
        "explain query plan " + text, cells if ":" in text else (1,) * len(set(re.findall(r"\?\d?", text)))
    )
    found = "\n".join(detail for *_, detail in cursor)
    connection.close()
    return found


def test_indexes_of_a_step_are_made_when_first_needed_and_keys_go_with_its_end(path: Path) -> None:
    store = opened(path)
    store.results(1, 0, 10)
    store.units(1)
    assert index_names(path) == set()
    store.match(1, MANY)
    assert index_names(path) == {"unit_key_1"}
    commit(store, Checkpoint(1, moves=[(0, 1), (1, 0)]))
    assert index_names(path) == {"unit_key_1"}
    assert store.results(1, 0, 3) == ["1", "0", "2"]
    assert index_names(path) == {"unit_key_1", "unit_pos_1"}
    store.update_step(1, StepChange(status=StepStatus.RUNNING))
    store.update_step(1, StepChange(status=StepStatus.SUCCEEDED))
    assert index_names(path) == {"unit_pos_1"}
    store.clear(1)
    assert index_names(path) == set()
    store.close()


def test_there_are_never_many_indexes(path: Path) -> None:
    store = opened(path, steps=12, units=2)
    for step in range(1, 13):
        commit(store, Checkpoint(step, moves=[(0, 1), (1, 0)]))
        assert store.match(step, MANY)["k1"].index == 0
        assert store.results(step, 0, 2) == ["1", "0"]
    assert len(index_names(path)) == 2 * indexes.MOST
    assert store.results(1, 0, 2) == ["1", "0"]
    assert "unit_pos_1" in index_names(path)
    store.close()


def test_a_few_keys_are_found_without_an_index_but_not_for_ever(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(matching, "SCANS", 3)
    store = opened(path, attempt=1)
    for _ in range(3):
        found = store.match(1, ["k999", "k1000", "k", "k17"])
        assert {key: (record.seq, record.value, record.result) for key, record in found.items()} == {
            "k17": (17, None, None),
            "k999": (999, None, None),
        }
        assert index_names(path) == set()
    assert store.match(1, ["k999"])["k999"].seq == 999
    assert index_names(path) == {"unit_key_1"}
    store.close()


def test_queries_use_the_indexes_that_are_meant_for_them(path: Path) -> None:
    store = opened(path, steps=2)
    commit(store, Checkpoint(2, moves=[(0, 1), (1, 0)]))
    store.match(2, MANY)
    store.results(2, 0, 1)
    store.close()
    bounds = {"first": first_id(2), "last": first_id(3), "hint": "indexed by unit_pos_2"}
    assert "unit_key_2 (key=?" in plan(path, statement("unit_match", **bounds))
    assert "unit_pos_2 (pos>?" in plan(path, statement("results_by_place", **bounds))
    for name, test, index in [
        ("units_by_place", "all", "unit_pos_2"),
        ("units_by_seq", "all", "PRIMARY KEY"),
        ("units_by_seq", "other", "unit_open (status=?"),
        ("units_placeless", "all", "unit_placeless (pos=?"),
    ]:
        found = plan(path, statement(name, **bounds, filter=FILTERS[test]))
        assert index in found
        assert "TEMP B-TREE" not in found


def test_pages_go_on_where_the_last_one_ended(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = opened(path)
    read: list[int] = []
    original = listing._rows

    def counted(*arguments):
        rows = original(*arguments)
        read.append(len(rows))
        return rows

    monkeypatch.setattr(listing, "_rows", counted)
    start = 0
    while page := store.units(1, start=start, limit=50):
        start += len(page)
    assert start == 1000
    assert sum(read) == 1000
    store.close()


def test_pages_of_blocks_go_on_where_the_last_one_ended(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(codec, "LARGEST_CHARACTERS", 1)
    store = opened(path, attempt=1)
    read: list[int] = []
    original = codec.unpacked
    monkeypatch.setattr(reading, "unpacked", lambda row, first: read.append(row[1]) or original(row, first))
    start = 0
    while page := store.units(1, start=start, limit=50):
        assert [view.record.seq for view in page] == list(range(start, start + 50))
        start += len(page)
    assert start == 1000
    assert max(read) == 17
    assert sum(read) < 3000
    store.close()


def test_two_listings_at_once_do_not_disturb_each_other(path: Path) -> None:
    store = opened(path)
    commit(store, Checkpoint(1, records=[unit(seq, UnitStatus.FAILED, 1, BROKE) for seq in range(1000, 1010)]))
    succeeded, failed = [], []
    for start in range(0, 10, 2):
        succeeded += store.units(1, UnitStatus.SUCCEEDED, start, 2)
        failed += store.units(1, UnitStatus.FAILED, start, 2)
    assert [view.record.seq for view in succeeded] == list(range(10))
    assert [view.record.seq for view in failed] == list(range(1000, 1010))
    store.close()


def test_what_is_in_doubt_is_found_among_many(path: Path) -> None:
    store = opened(path)
    claims = [Claim(1, 1, range(990, 1500), [f"k{seq}" for seq in range(990, 1500)])]
    commit(store, Checkpoint(1, claims, counts=Counts(None, 1000)))
    assert store.steps("r1")[0].counts == Counts(None, 1000, in_doubt=500)
    views = []
    while page := store.units(1, start=len(views), limit=70):
        views += page
    assert [view.record.seq for view in views] == list(range(1500))
    assert [view.status for view in views[999:1001]] == ["succeeded", "in_doubt"]
    assert len(store.units(1, "in_doubt", limit=1000)) == 500
    store.close()


def test_statements_are_short_enough_to_be_kept_prepared() -> None:
    assert len(rows_statement(200)) < 16_384


def test_every_statement_is_used() -> None:
    folder = Path(indexes.__file__).parent
    rooms = [folder, Path(listing.__file__).parent]
    code = "\n".join(file.read_text() for room in rooms for file in room.rglob("*.py"))
    for file in (folder / "queries").iterdir():
        assert f'"{file.stem}"' in code, f"{file.name} is used nowhere"
