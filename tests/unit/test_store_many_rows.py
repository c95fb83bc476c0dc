"""Failures are recorded many rows at a time, as successes are: whatever their number, nothing of them is lost or mixed up."""

from __future__ import annotations

from pathlib import Path

import pytest

from batchwork.model import AttemptRecord, Checkpoint, Failure, LogRecord, UnitStatus
from batchwork.store import open_store
from batchwork.store.sqlite.session import ROWS
from batchwork.store.sqlite.statements import many_statement
from batchwork.testing.store_case import commit, picture, run_record, unit

MANY, SOME = ROWS


def failing(count: int, attempt: int, status: UnitStatus) -> Checkpoint:
    failures = [Failure("Broken", f"it broke: {seq} 'in' \0 {attempt}") for seq in range(count)]
    return Checkpoint(
        1,
        records=[unit(seq, status, attempt, failure) for seq, failure in enumerate(failures)],
        attempts=[AttemptRecord(seq, attempt, failure, seq, attempt) for seq, failure in enumerate(failures)],
        logs=[LogRecord(seq, attempt, f"said {seq} in {attempt}") for seq in range(count)],
    )


@pytest.mark.parametrize("count", [1, SOME - 1, SOME, SOME + 1, MANY - 1, MANY, MANY + 1, 2 * MANY + SOME + 3])
def test_any_number_of_failures_is_recorded_as_in_memory(tmp_path: Path, count: int) -> None:
    pictures, logs = [], []
    for where in ("memory:", str(tmp_path / "x.db")):
        store = open_store(where)
        store.create_run(run_record(), [("s", True)])
        first, second = failing(count, 1, UnitStatus.PENDING), failing(count, 2, UnitStatus.FAILED)
        for checkpoint in (first, second, second):  # a second time nothing changes
            commit(store, checkpoint)
        pictures.append(picture(store, "r1"))
        logs.append([store.logs(1, seq) for seq in range(count)])
        assert len(store.attempts(1, count - 1)) == 2
        store.close()
    assert pictures[0] == pictures[1]
    assert logs[0] == logs[1]


@pytest.mark.parametrize("name", ["unit_record", "attempt_add", "log_add"])
def test_a_statement_for_many_rows_is_short_enough_to_be_kept(name: str) -> None:
    assert len(many_statement(name, MANY)) < 16_384, "apsw prepares longer ones each time"
    assert many_statement(name, 2).count("(?") == 2
