"""The event log: lines of JSON that are private, masked, and never stop a run."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from batchwork.events import Progressed, RunFinished, Said, Warned
from batchwork.model import Counts, RunStatus
from batchwork.telling.structured_log import StructuredLog
from batchwork.testing.fakes import StillClock


def lines(path: Path) -> list[str]:
    return path.read_text(encoding="utf-8").splitlines()


def test_events_are_lines_with_a_time(tmp_path: Path) -> None:
    path = tmp_path / "logs" / "r1.jsonl"
    log = StructuredLog(str(path), StillClock())
    log.emit(Warned("the line\nis two"))
    log.emit(RunFinished("r1", RunStatus.FAILED, 1.5))
    log.close()
    log.emit(Warned("too late"))
    first, second = (json.loads(line) for line in lines(path))
    assert first == {"time": first["time"], "event": "Warned", "text": "the line\nis two", "step": ""}
    assert first["time"].endswith("+00:00")
    assert (second["event"], second["status"]) == ("RunFinished", "failed")
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.parent.stat().st_mode & 0o777 == 0o700


def test_progress_is_logged_now_and_then(tmp_path: Path) -> None:
    clock = StillClock()
    log = StructuredLog(str(tmp_path / "r1.jsonl"), clock)
    for count in range(200):
        log.emit(Progressed("fetch", Counts(200, count), 1))
        clock.now_s += 0.1
    log.emit(Said("fetch", "hello"))
    log.close()
    assert [json.loads(line)["counts"]["succeeded"] for line in lines(tmp_path / "r1.jsonl")] == [0, 100]


def test_a_torn_last_line_spoils_only_itself(tmp_path: Path) -> None:
    path = tmp_path / "r1.jsonl"
    path.write_text('{"time": "20', encoding="utf-8")
    log = StructuredLog(str(path), StillClock())
    log.emit(Warned("one"))
    log.emit(Warned("two"))
    log.close()
    assert [json.loads(line)["text"] for line in lines(path)[1:]] == ["one", "two"]


def test_what_cannot_be_written_is_left_out(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("", encoding="utf-8")
    log = StructuredLog(str(tmp_path / "file" / "r1.jsonl"), StillClock())
    log.emit(Warned("nobody hears it"))
    log.close()
    assert (tmp_path / "file").read_text(encoding="utf-8") == ""


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_stops_nothing() -> None:
    log = StructuredLog("/dev/full", StillClock())
    log.emit(Warned("no room"))
    log.emit(Warned("still none"))
    log.close()
    assert os.path.exists("/dev/full")
