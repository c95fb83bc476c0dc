"""The life of Python workers: trying to prepare them, what they print then, and when others take their places."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from python_workers import Workers

from batchwork import proctree
from batchwork.errors import WorkerError
from batchwork.workers.python import troubles

Make = Callable[..., Workers]
PID = "import os\nreturn os.getpid()"


@pytest.fixture
def make(monkeypatch: pytest.MonkeyPatch) -> Iterator[Make]:
    monkeypatch.setattr(troubles, "_SETUP_PAUSES_S", (0.01, 0.02))
    made: list[Workers] = []

    def start(code: str = "return item", options: dict[str, Any] | None = None, **told: Any) -> Workers:
        made.append(Workers(code, told={"setup_line": 1, **told}, **(options or {})))
        return made[-1]

    yield start
    for workers in made:
        workers.executor.close()
        assert proctree.with_cookie(workers.cookie) == []


def failing(folder: Path, times: int, how: str = "raise ConnectionRefusedError('starting')") -> str:
    """Setup code that fails so often, and counts its tries in a file."""
    return (
        f"with open({str(folder / 'tries')!r}, 'a') as file: file.write('x')\n"
        f"import time\nif len(open({str(folder / 'tries')!r}).read()) <= {times}: {how}"
    )


@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("how", ["raise ConnectionRefusedError('starting')", "1 / 0"])
@pytest.mark.promise("5.07")
def test_setup_is_tried_three_times(make: Make, tmp_path: Path, times: int, how: str) -> None:
    assert make(setup=failing(tmp_path, times, how)).run([1, 2]).results == {0: "1", 1: "2"}
    assert (tmp_path / "tries").read_text() == "x" * (times + 1)


def test_after_three_tries_the_last_error_is_told_with_what_was_printed(make: Make, tmp_path: Path) -> None:
    workers = make(setup="print('connecting to db1')\n" + failing(tmp_path, 3))
    workers.submit([1])
    with pytest.raises(WorkerError, match=r"ConnectionRefusedError: starting .*tried 3 times") as caught:
        workers.wait(lambda: False)
    assert "connecting to db1" in caught.value.hint
    assert (tmp_path / "tries").read_text() == "xxx"


@pytest.mark.parametrize("how", ["import nowhere_to_be_found", "exec('(')", "raise SystemExit(4)"])
def test_what_another_try_cannot_mend_is_tried_once(make: Make, tmp_path: Path, how: str) -> None:
    workers = make(setup=failing(tmp_path, 3, how))
    workers.submit([1])
    with pytest.raises(WorkerError, match="cannot be prepared"):
        workers.wait(lambda: False)
    assert (tmp_path / "tries").read_text() == "x"


@pytest.mark.promise("5.07")
def test_setup_that_hangs_is_ended_and_tried_again(make: Make, tmp_path: Path) -> None:
    workers = make(setup=failing(tmp_path, 1, "time.sleep(600)"), setup_timeout_s=2.0)
    assert workers.run([1]).results == {0: "1"}
    workers = make(setup="import time\ntime.sleep(600)", setup_timeout_s=0.2)
    workers.submit([1])
    with pytest.raises(WorkerError, match=r"`setup` took longer than 0\.2 s \(tried 3 times\)"):
        workers.wait(lambda: False)


def test_while_a_step_stops_setup_is_not_tried_again(make: Make, tmp_path: Path) -> None:
    workers = make(setup=failing(tmp_path, 9, "time.sleep(600)"), setup_timeout_s=600.0)
    workers.submit([1], [0])
    workers.wait((tmp_path / "tries").exists)
    workers.executor.recall()
    workers.executor.cancel()
    workers.wait(workers.idle)
    workers.wait(lambda: not proctree.with_cookie(workers.cookie))
    assert (tmp_path / "tries").read_text() == "x"


@pytest.mark.promise("5.07")
def test_what_setup_prints_comes_with_the_first_report_and_is_no_items(make: Make) -> None:
    workers = make("print('item', item)\nreturn item", setup="print('model', 6 * 7, 'loaded')")
    seen: list[str] = []
    hear = workers.censor.report
    workers.censor = type("Tap", (), {"report": lambda _self, report: seen.append(report.setup) or hear(report)})()
    ends = workers.run([1, 2], size=1)
    assert seen == ["model 42 loaded\n", ""] and ends.logs == {0: "item 1\n", 1: "item 2\n"}


@pytest.mark.parametrize("size", [1, 3, 100])
@pytest.mark.promise("5.09")
def test_a_worker_serves_so_many_items(make: Make, size: int) -> None:
    ends = make(PID, max_items_per_worker=3).run(list(range(10)), size=size)
    pids = [json.loads(ends.results[number]) for number in range(10)]
    assert len(ends.results) == 10 and sorted(pids.count(pid) for pid in set(pids)) == [1, 3, 3, 3]


def test_failed_items_count_too_and_no_attempt_is_lost(make: Make) -> None:
    ends = make("if item % 2: raise ValueError(item)\n" + PID, max_items_per_worker=2).run(list(range(6)))
    assert sorted(ends.failures) == [1, 3, 5] and len({*ends.results.values()}) == 3


@pytest.mark.parametrize("name", ["InterfaceError", "OSError", "batchwork_code.InterfaceError"])
@pytest.mark.promise("5.10")
def test_an_error_of_a_named_type_ends_a_workers_service(make: Make, name: str) -> None:
    setup = "class InterfaceError(OSError): pass"
    code = "if item == 'gone': raise InterfaceError('closed')\nif item == 'no': raise ValueError(item)\n" + PID
    ends = make(code, setup=setup, restart_worker_on=[name]).run(["a", "no", "b", "gone", "c", "d"])
    pids = [ends.results[number] for number in (0, 2, 4, 5)]
    assert pids[0] == pids[1] != pids[2] == pids[3]
    assert {number: failure.type for number, failure in ends.failures.items()} == {1: "ValueError", 3: "InterfaceError"}


def test_a_worker_that_leaves_runs_its_exit_functions(make: Make, tmp_path: Path) -> None:
    setup = f"import atexit\natexit.register(lambda: open({str(tmp_path / 'left')!r}, 'a').write('x'))"
    workers = make(setup=setup, max_items_per_worker=1)
    assert len(workers.run([1, 2, 3]).results) == 3
    workers.executor.close()
    assert (tmp_path / "left").read_text() == "xxx"


def test_a_worker_that_does_not_leave_is_ended(make: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    from batchwork.workers.python import worker

    monkeypatch.setattr(worker, "LEAVE_S", 0.1)
    setup = "import atexit, time\natexit.register(lambda: time.sleep(600))"
    workers = make(PID, setup=setup, max_items_per_worker=1)
    assert len({*workers.run([1, 2]).results.values()}) == 2


@pytest.mark.promise("5.11")
def test_each_worker_of_a_step_has_a_number_of_its_own(make: Make) -> None:
    fixed = {"fixed": {"worker": {"worker": None}}}
    workers = make("import time\ntime.sleep(0.02)\nreturn worker", {"slots": 3}, **fixed)
    assert {*workers.run(list(range(30)), size=2).results.values()} == {"0", "1", "2"}
