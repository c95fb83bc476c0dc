"""Parts of the store in PostgreSQL that need no server: addresses, texts, statements, who owns a run."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from batchwork.clock import SystemClock
from batchwork.errors import StoreError
from batchwork.store import shown, store_at
from batchwork.store.postgres import cells, session, statements
from batchwork.store.postgres.owning.notes import Notes
from batchwork.store.postgres.owning.owner import given_up, is_dead, spoken, this_process
from batchwork.store.postgres.place import PostgresPlace
from batchwork.store.postgres.server.address import address_of
from batchwork.store.postgres.server.silence import GIVEN_UP_AFTER_S, TOLD_AFTER_S, Silence
from batchwork.store.sqlite import indexes

QUERIES = Path(statements.__file__).parent / "queries"


@pytest.mark.fault("N17")
@pytest.mark.parametrize(
    ("url", "seen", "driver", "passwords"),
    [
        ("postgresql:///work", "postgresql:///work", "postgresql:///work", set()),
        ("postgres://h/work?schema=x", "postgres://h/work?schema=x", "postgres://h/work", set()),
        ("postgresql://u@h:5/d", "postgresql://u@h:5/d", "postgresql://u@h:5/d", set()),
        ("postgresql://u:pw@h/d", "postgresql://u:***@h/d", "postgresql://u:pw@h/d", {"pw"}),
        ("postgresql://u:p%40w@h/d", "postgresql://u:***@h/d", "postgresql://u:p%40w@h/d", {"p%40w", "p@w"}),
        ("postgresql://u:p@w@h/d", "postgresql://u:***@h/d", "postgresql://u:p@w@h/d", {"p@w"}),
        ("postgresql://u:a/b@h/d", "postgresql://u:***@h/d", "postgresql://u:a/b@h/d", {"a/b"}),
        ("postgresql://u:@h/d", "postgresql://u:@h/d", "postgresql://u:@h/d", set()),
        ("postgresql://u:#?x@h/d", None, None, None),
        (
            "postgresql://h/d?password=pw&sslmode=require",
            "postgresql://h/d?password=***&sslmode=require",
            "postgresql://h/d?password=pw&sslmode=require",
            {"pw"},
        ),
        (
            "postgresql://a,b:6/d?target_session_attrs=read-write&schema=s1",
            "postgresql://a,b:6/d?target_session_attrs=read-write&schema=s1",
            "postgresql://a,b:6/d?target_session_attrs=read-write",
            set(),
        ),
    ],
)
def test_an_address_is_shown_without_passwords(
    url: str, seen: str | None, driver: str | None, passwords: set[str] | None
) -> None:
    if seen is None:
        assert "x@h" not in shown(url).partition("?")[0]
        return
    address = address_of(url)
    assert (address.shown, address.url, {*address.passwords}) == (seen, driver, passwords)
    assert shown(url) == seen


@pytest.mark.parametrize("schema", ["A", "1a", "a-b", "a b", 'a"b', "a;drop", "", "ü", "a" * 64, "a\n"])
def test_a_schema_has_a_plain_name(schema: str) -> None:
    with pytest.raises(StoreError, match="cannot be the schema"):
        address_of(f"postgresql://h/d?schema={schema}")


@pytest.mark.parametrize("scheme", ["postgres", "postgresql"])
def test_a_place_connects_to_nothing_and_keeps_logs_in_the_working_directory(
    scheme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    place = store_at(f"{scheme}://nowhere.invalid/db")
    assert isinstance(place, PostgresPlace)
    assert place.state_dir == str(tmp_path / ".batchwork")
    assert list(tmp_path.iterdir()) == []


@given(st.text(alphabet=st.characters(exclude_categories=[])))
@example("\x00")
@example("\x1a0\x00\x1a\x1a")
def test_texts_come_back_as_they_were_but_for_surrogates(text: str) -> None:
    data = cells.encoded(text)
    assert b"\x00" not in data
    assert cells.unescaped(data.decode()) == text.encode("utf-8", "backslashreplace").decode()


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 2), st.integers())), st.integers(1, 2))
def test_rows_of_the_same_unit_are_in_parts_of_their_own_in_their_order(rows: list, width: int) -> None:
    parts = [list(part) for part in session.rounds(rows, width)]
    for part in parts:
        assert len({row[:width] for row in part}) == len(part)
    for row in rows:
        same = [other for other in rows if other[:width] == row[:width]]
        assert [other for part in parts for other in part if other[:width] == row[:width]] == same


# ---------------------------------------------------------------- statements


def test_a_statement_has_its_parameters_by_place_or_name() -> None:
    named = statements.statement("units_by_seq", last=9, filter="status = :code")
    assert [source for source, _ in named.parameters] == ["after", "code", "size"]
    assert "id > $1::bigint" in named.text
    assert "status = $2::bigint" in named.text
    assert ":after" not in named.text
    assert len(named.bound({"after": 1, "code": 2, "size": 3, "key": None, "place": 5})) == 3
    changed = statements.statement("run_change", column="ended_ms")
    assert changed.text == "update run set ended_ms = $1::bigint where id = $2::text"


def test_databases_have_the_same_statements_but_for_what_is_theirs() -> None:
    sqlite = {file.stem for file in (Path(indexes.__file__).parent / "queries").iterdir()}
    postgres = {file.stem for file in QUERIES.iterdir()}
    assert sqlite - postgres == {"index_drop", "index_make", "index_names", "mark", "mark_token", "member_make"}
    assert {name.partition("_")[0] for name in postgres - sqlite} == {"lease", "leases", "mark", "step"}


def test_every_statement_is_used_and_says_the_types_of_its_parameters() -> None:
    rooms = [QUERIES.parent, QUERIES.parent.parent / "tables"]
    code = "\n".join(file.read_text() for room in rooms for file in room.rglob("*.py"))
    parts = {"first": 0, "last": 1, "filter": "true", "column": "status", "hint": ""}
    for file in QUERIES.iterdir():
        assert f'"{file.stem}"' in code, f"{file.name} is used nowhere"
        if "{" not in file.read_text():
            parts = {}
        found = statements.statement(file.stem, **parts)
        assert all(kind in cells.PACKERS for _, kind in found.parameters), file.name
        parts = {"first": 0, "last": 1, "filter": "true", "column": "status", "hint": ""}


# ---------------------------------------------------------------- whose a run is


def test_a_process_knows_itself_and_who_is_dead() -> None:
    owner = this_process(SystemClock())
    assert not is_dead(owner)
    assert spoken(owner).startswith(f"process {os.getpid()} on ")
    given_up(owner)
    assert is_dead(owner)
    content = json.loads(owner)
    with subprocess.Popen(["sleep", "60"]) as other:
        gone = json.dumps({**content, "pid": other.pid})  # another process has that number: it began at another time
        assert is_dead(gone)
        other.kill()
    assert is_dead(gone)
    assert not is_dead(json.dumps({**content, "machine": "another"}))
    assert not is_dead("")
    assert spoken("no JSON") == "another process"


def test_notes_that_cannot_be_kept_or_read_do_no_harm(tmp_path: Path) -> None:
    (tmp_path / "postgres").write_text("in the way")
    notes = Notes(str(tmp_path), 7, "the store", lambda text: None)
    notes.write("r1", 3, "full")
    notes.compare("r1", 0)
    notes.close()
    other = Notes(str(tmp_path / "there"), 7, "the store", lambda text: None)
    other.write("r1", 3, "full")
    other.compare("r1", 3)
    with pytest.raises(StoreError, match="has lost the last 1 transaction of run r1"):
        other.compare("r1", 2)
    other.write("r1", 12, "fast")
    (note,) = (tmp_path / "there").rglob("r1")
    assert note.stat().st_mode & 0o777 == 0o600
    note.write_text("nonsense")
    other.compare("r1", 0)
    other.close()


class Still(SystemClock):
    seconds = 0.0

    def now(self) -> float:
        return self.seconds


@pytest.mark.fault("J05")
@pytest.mark.parametrize("may_last", [True, False])
def test_silence_is_told_once_and_ends_what_may_not_last(may_last: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    clock, texts, cut = Still(), list[str](), list[object]()
    monkeypatch.setattr("batchwork.store.postgres.server.silence._cut", cut.append)
    monkeypatch.setattr(Silence, "_watch", lambda self: None)
    silence, transaction = Silence("the store", clock, texts.append), session.PostgresSession("connection")  # type: ignore[arg-type]
    silence.look()
    with silence.noticed("connection", may_last=may_last) as underway:  # type: ignore[arg-type]
        underway.session = transaction
        for clock.seconds in (TOLD_AFTER_S, 2 * TOLD_AFTER_S):
            transaction.executed += 1
            silence.look()
        assert texts == [], "it goes on"
        for clock.seconds in (2 * TOLD_AFTER_S + 1, 3 * TOLD_AFTER_S, 3 * TOLD_AFTER_S + 1):
            silence.look()
        assert len(texts) == 1
        assert cut == []
        clock.seconds += GIVEN_UP_AFTER_S
        silence.look()
    assert cut == ([] if may_last else ["connection"])
    silence.look()
    assert len(texts) == 1
    silence.close()
