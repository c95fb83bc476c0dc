"""A store that version 1 made, with a crashed, a partial and a crashed retried run: it can be looked at as it is, and gone on with."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from batchwork.ports import Opening
from batchwork.store import open_store

Command = Callable[..., "subprocess.CompletedProcess[str]"]
VERSION_1 = Path(__file__).parent.parent / "unit" / "stores" / "version_1.db"
STORE = ("--store", "state.db")


@pytest.fixture
def old(work: Path) -> Path:
    path = work / "state.db"
    shutil.copy(VERSION_1, path)
    (work / "items.txt").write_text("good\nbad\ngood\nhang\n")
    return path


def workflow_of(run: str) -> None:
    """Put the file of the run's workflow where it was."""
    store = open_store("state.db", Opening("look"))
    record = store.run(run)
    assert record is not None
    Path(record.file).write_text(record.workflow)
    store.close()


def version(path: Path) -> int:
    return int.from_bytes(path.read_bytes()[60:64])


def steps(text: str) -> dict[str, str]:
    return {name: step["status"] for name, step in json.loads(text)["steps"].items()}


@pytest.mark.fault("H08")
def test_looking_leaves_it_as_it_is(old: Path, batchwork: Command) -> None:
    before = old.read_bytes()
    workflow_of("again")
    for words in (
        ("runs",),
        ("status", "half"),
        ("items", "half"),
        ("errors", "done"),
        ("logs", "done", "bad"),
        ("results", "done", "--step", "work"),
        ("resume", "again", "--plan"),
    ):
        done = batchwork(*words, *STORE)
        assert done.stdout, words
    assert old.read_bytes() == before
    assert sorted(path.name for path in old.parent.iterdir()) == ["flow.yaml", "items.txt", "state.db"]


def test_its_notes_are_understood(old: Path, batchwork: Command) -> None:
    items = batchwork("items", "half", *STORE).stdout
    assert "duplicate" in items
    assert "in doubt" in items
    assert "no longer in its source (was succeeded)" in batchwork("logs", "half", "gone", *STORE).stdout
    status = batchwork("status", "done", *STORE).stdout
    assert "`when` is false" in status
    assert "step `unwanted`, which it refers to, was skipped" in " ".join(status.split())
    workflow_of("again")
    assert "read again" not in batchwork("resume", "again", "--plan", *STORE).stdout


@pytest.mark.fault("H08")
def test_a_resume_migrates_it_and_goes_on(old: Path, batchwork: Command) -> None:
    workflow_of("half")
    assert version(old) == 1
    (old.parent / "items.txt").write_text("good\nbad\ngood\nhang\ngone\n")
    batchwork("resume", "half", *STORE, expect=3)
    assert version(old) > 1
    assert version(old.parent / "state.db.v1") == 1
    rows = [json.loads(line) for line in batchwork("items", "half", "--json", *STORE).stdout.splitlines()]
    assert [(row["index"], row["item"], row["status"]) for row in rows if row["step"] == "work"] == [
        (0, "good", "succeeded"),
        (1, "bad", "failed"),
        (2, "good", "skipped"),
        (3, "hang", "succeeded"),
        (4, "gone", "succeeded"),
    ]
    assert [row["attempts"] for row in rows if row["item"] == "gone"] == [1]
    assert steps(batchwork("status", "half", "--json", *STORE).stdout) == {
        "work": "succeeded",
        "unwanted": "skipped",
        "needs": "skipped",
        "last": "succeeded",
    }


@pytest.mark.fault("H08")
def test_a_kill_while_it_is_migrated_leaves_it_as_it_was(old: Path, batchwork: Command) -> None:
    workflow_of("half")
    (old.parent / "items.txt").write_text("good\nbad\ngood\nhang\ngone\n")
    kill = {"BATCHWORK_TESTING": "1", "BATCHWORK_FAULT": "migrate:kill9@1"}
    batchwork("resume", "half", *STORE, env=kill, expect=-9)
    before = batchwork("items", "half", "--json", *STORE).stdout
    assert before
    assert version(old) == 1
    batchwork("resume", "half", *STORE, expect=3)
    assert version(old) > 1
    known = {row["index"] for row in map(json.loads, before.splitlines()) if row["status"] in ("succeeded", "failed")}
    rows = [json.loads(line) for line in batchwork("items", "half", "--json", *STORE).stdout.splitlines()]
    assert known <= {row["index"] for row in rows if row["status"] in ("succeeded", "failed")}


def test_a_retry_migrates_it_and_goes_on(old: Path, batchwork: Command) -> None:
    workflow_of("done")
    batchwork("retry", "done", *STORE, expect=3)
    assert version(old) > 1
    (failed,) = [json.loads(line) for line in batchwork("errors", "done", "--json", *STORE).stdout.splitlines()]
    assert (failed["step"], failed["count"]) == ("work", 1)


def test_a_retry_that_crashed_goes_on_without_its_source(old: Path, batchwork: Command) -> None:
    workflow_of("again")
    (old.parent / "items.txt").unlink()
    (old.parent / "hang-bad").touch()  # its workflow lets `bad` succeed where this file is; then it would sleep
    workflow = old.parent / "flow.yaml"
    workflow.write_text(workflow.read_text().replace("sleep 60", "sleep 0"))
    done = batchwork("resume", "again", "--accept-changes", *STORE)
    assert "succeeded" in done.stdout
