"""Sections 4 to 8, steps, tasks, batches, states and results, as far as no other test shows it."""

from __future__ import annotations

import json
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

from places import BIN

Command = Callable[..., "CompletedProcess[str]"]


@pytest.fixture
def results(batchwork: Command) -> Callable[[str], list[Any]]:
    """The results of a step of the latest run."""

    def of(step: str) -> list[Any]:
        lines = batchwork("results", "--step", step, "--format", "jsonl", expect=0).stdout.splitlines()
        return [json.loads(line)["result"] for line in lines]

    return of


TASKS = """
steps:
  - {name: shell, task: shell, inputs: {command: "printf out; printf err >&2"}}
  - {name: given, task: python, inputs: {code: "result = 1"}}
  - {name: both, task: python, inputs: {code: "result = 1\\nreturn 2"}}
  - {name: wrong, task: shell, inputs: {command: exit 3}, on_error: continue}
  - {name: after, task: echo, inputs: {message: "{{ steps.wrong.status }} {{ steps.wrong.error.exit_code }}"}}
  - name: handled
    task: shell
    inputs: {command: exit 4}
    on_error: {task: echo, inputs: {message: handled}}
"""


@pytest.mark.promise("4.06", "4.07", "5.02", "5.03")
def test_what_tasks_give_and_what_follows_a_failure(
    batchwork: Command, work: Path, results: Callable[[str], list[Any]]
) -> None:
    file = work / "flow.yaml"
    file.write_text(TASKS.partition("  - name: handled")[0])
    assert batchwork("run", "flow.yaml", expect=3).stdout.startswith("failed 3\n")
    assert results("shell") == [{"stdout": "out", "stderr": "err", "exit_code": 0}]
    assert (results("given"), results("both")) == ([1], [2])
    file.write_text(TASKS)
    assert "\nhandled\n" in batchwork("run", "flow.yaml", expect=1).stdout


FIELDS = """
steps:
  - {name: a, task: batch, inputs: {items: [1], MARK, task: {type: echo, message: x}}}
"""


@pytest.mark.parametrize(
    ("mark", "said"),
    [
        ("max_parallel: 0", "`max_parallel` must be an integer, at least 1 and at most 10,000, but it is 0"),
        ("max_parallel: 10001", "`max_parallel` must be an integer, at least 1 and at most 10,000, but it is 10001"),
        ("batch_size: 0", "`batch_size` must be an integer, at least 1 and at most 1,000,000, but it is 0"),
        ("batch_size: 1000001", "`batch_size` must be an integer, at least 1 and at most 1,000,000, but it is 1000001"),
        ("rate_limit: 5/fortnight", "`rate_limit` must be attempts in a time"),
        ("on_duplicate: maybe", "`on_duplicate` must be `keep`, `skip` or `error`"),
        ("on_in_doubt: perhaps", "`on_in_doubt` must be `retry`, `fail` or `stop`"),
        ("max_parallel: 10000, batch_size: 1000000, rate_limit: 50/s", ""),
        ("max_parallel: 1, batch_size: 1, rate_limit: 3000/min", ""),
        ("rate_limit: 100/h, on_duplicate: skip, on_in_doubt: stop", ""),
    ],
)
@pytest.mark.promise("6.11", "6.17", "6.18")
def test_what_the_fields_of_a_batch_step_take(mark: str, said: str) -> None:
    problems = _problems(FIELDS.replace("MARK", mark))
    assert said in problems if said else problems == ""


@pytest.mark.parametrize(
    ("fields", "parallel"),
    [
        ("max_parallel: 1", False),
        ("max_parallel: 2", True),
        ("parallel: true", True),
        ("max_parallel: 4, parallel: false", False),
    ],
)
@pytest.mark.promise("6.14")
def test_a_step_is_parallel_where_several_may_run_at_once(batchwork: Command, fields: str, parallel: bool) -> None:
    Path("flow.yaml").write_text(FIELDS.replace("MARK", fields))
    assert ("one after another" in batchwork("plan", "flow.yaml", expect=0).stdout) is not parallel


EACH = """
steps:
  - {name: a, task: batch, inputs: {items: ITEMS, batch_size: 2, task: {type: python, code: "return CALL"}}}
"""


@pytest.mark.parametrize("items", ["[1, 2]", "[[1], [2]]", "$(seq 2)", "{from: range, stop: 2}"])
@pytest.mark.parametrize("call", ["sum(item)", "sorted(item)", "list(map(str, item))"])
@pytest.mark.promise("6.35")
def test_code_that_takes_all_of_item_must_say_what_it_means(items: str, call: str) -> None:
    text = EACH.replace("ITEMS", items).replace("CALL", call)
    assert "`each` is needed: the code gives `item` to" in _problems(text)
    assert _problems(text.replace("batch_size: 2", "batch_size: 2, each: item")) == ""
    assert _problems(text.replace("batch_size: 2", "batch_size: 1")) == ""


def _problems(text: str) -> str:
    """What is wrong with a workflow, in its own words."""
    import batchwork as api

    path = Path("flow.yaml")
    path.write_text(text)
    try:
        api.load(path)
    except api.WorkflowError as error:
        return "\n".join(problem.message for problem in error.problems)
    return ""


@pytest.fixture(autouse=True)
def _in_a_folder_of_its_own(work: Path) -> None:
    """Everything here is written to the working directory."""


SEQUENCE = """
steps:
  - name: got
    task: batch
    inputs:
      items: $(printf '%s\\n' 1 2 3 1)
      max_parallel: 1
      max_failures: 1
      task: {type: python, code: "if item == '2':\\n    raise ValueError('no ' + item)\\nreturn {'n': item}"}
    outputs: found
  - {name: again, task: batch, inputs: {items: "{{ found }}", max_parallel: 1, task: {type: python, code: return item}}}
  - {name: list, task: batch, inputs: {items: "{{ [1, 2] }}", parallel: false, task: {type: python, code: return item}}}
  - name: look
    task: python
    inputs:
      code: |
        print("for the log")
        seen = steps.got.result
        return {
            "all": [r for r in seen], "len": len(found), "ends": [seen[0], seen[-1]], "same": list(found.results) == list(seen),
            "failed": [[f.index, f.key, f.item, str(f.error), f.attempts] for f in found.failed],
            "succeeded": [r["index"] for r in found.succeeded], "counts": found.counts, "took": found.duration > 0,
        }
  - {name: stopped, task: batch, inputs: {items: $(seq 100000), max_parallel: 2, task: {type: shell, command: "exit {{ index }}"}}}
  - {name: never, task: echo, inputs: {message: never}}
"""


@pytest.mark.promise("5.34", "6.01", "7.08", "8.01", "8.02", "9.13", "9.14", "9.15")
def test_items_of_all_kinds_their_results_and_their_counts(
    batchwork: Command, work: Path, results: Callable[[str], list[Any]]
) -> None:
    (work / "flow.yaml").write_text(SEQUENCE)
    done = batchwork("run", "flow.yaml", "--run-id", "r1", "--json", expect=1)
    assert "for the log" not in done.stdout + done.stderr
    assert "for the log" in batchwork("logs", "r1", "", expect=None).stdout
    first, second, third = {"n": "1"}, {"n": "3"}, {"n": "1"}
    assert results("again") == [first, None, second, third]
    assert results("list") == [1, 2]
    (look,) = results("look")
    counts = {"total": 4, "succeeded": 3, "failed": 1, "skipped": 0, "in_doubt": 0, "pending": 0, "running": 0}
    assert look == {
        "all": [first, None, second, third],
        "len": 4,
        "ends": [first, third],
        "same": True,
        "failed": [[1, '"2"', "2", "no 2", 1]],
        "succeeded": [0, 2, 3],
        "counts": counts,
        "took": True,
    }
    _check_summaries(batchwork, json.loads(done.stdout), counts)
    _check_rows(batchwork)


def _check_summaries(batchwork: Command, summary: dict[str, Any], counts: dict[str, int]) -> None:
    assert json.loads(batchwork("status", "--json", expect=0).stdout) == summary
    assert set(summary) == {"run", "workflow", "status", "steps"}
    assert (summary["run"], summary["workflow"], summary["status"]) == ("r1", "flow", "failed")
    assert summary["steps"]["got"]["counts"] == counts
    for step in summary["steps"].values():
        assert set(step) == {"status", "counts", "duration", "error"}
        there = step["counts"]
        assert set(there) == set(counts)
        if there["total"] is not None:
            ended = sum(there[name] for name in ("succeeded", "failed", "skipped", "in_doubt", "pending"))
            assert ended == there["total"]
    stopped = summary["steps"]["stopped"]
    assert (stopped["status"], stopped["counts"]["total"], stopped["counts"]["failed"] >= 1) == ("failed", None, True)
    assert summary["steps"]["never"]["status"] == "pending"


def _check_rows(batchwork: Command) -> None:
    rows = [json.loads(line) for line in batchwork("items", "--step", "got", "--json", expect=0).stdout.splitlines()]
    assert {frozenset(row) for row in rows} == {
        frozenset(("step", "index", "key", "status", "attempts", "item", "result", "error", "duration", "worker"))
    }
    assert {name: rows[1]["error"][name] for name in ("type", "message")} == {"type": "ValueError", "message": "no 2"}
    assert [row["key"] for row in rows] == ['"1"', '"2"', '"3"', '"1"#1']
    lines = batchwork("results", "--step", "got", "--format", "jsonl", expect=0).stdout.splitlines()
    assert [json.loads(line) for line in lines] == [
        {name: row[name] for name in ("index", "key", "status", "result")} for row in rows
    ]


HANDLERS = """
steps:
  - name: a
    task: batch
    inputs:
      items: [1]
      timeout: 60
      continue_on_error: true
      on_item_error: {task: shell, timeout: 0.2, inputs: {command: sleep 300}}
      task: {type: shell, command: exit 1}
  - name: b
    task: shell
    inputs: {command: exit 2}
    on_error: {task: python, timeout: 200ms, inputs: {code: "import time; time.sleep(300); return 1"}}
"""


@pytest.mark.promise("6.39")
def test_a_task_that_handles_errors_has_a_timeout_of_its_own(batchwork: Command, work: Path) -> None:
    (work / "flow.yaml").write_text(HANDLERS)
    done = batchwork("run", "flow.yaml", "--run-id", "r", expect=1)
    assert "a: `on_item_error` failed: timed out after 0.2 s" in done.stderr
    assert "b: `on_error` failed: took longer than 0.2 s" in done.stderr
    assert "timed out after 0.2 s" in batchwork("logs", "r", "1", expect=0).stdout


WAITING = """
steps:
  - name: a
    task: batch
    inputs:
      items: [1, 2, 3, 4]
      max_parallel: 2
      continue_on_error: true
      retry: {max_attempts: 2, delay: 2, jitter: false}
      task: {type: shell, command: "date +%s%N >> tried-{{ item }}; test -e good"}
"""


@pytest.mark.promise("6.38")
def test_waiting_items_hold_no_worker_and_wait_on_after_a_resume(
    batchwork: Command, work: Path, environ: Mapping[str, str], wait_for: Callable[..., None]
) -> None:
    (work / "flow.yaml").write_text(WAITING)
    tried = [work / f"tried-{item}" for item in (1, 2, 3, 4)]
    going = subprocess.Popen([BIN / "batchwork", "run", "flow.yaml"], env=environ, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: all(file.exists() for file in tried), "first attempts of all, while the first ones wait")
        going.send_signal(signal.SIGINT)
        assert going.wait(60) == 130
    finally:
        going.kill()
    assert any(len(file.read_text().split()) == 1 for file in tried)
    (work / "good").touch()
    batchwork("resume", expect=0)
    for file in tried:
        first, second = map(int, file.read_text().split())
        assert second - first >= 2_000_000_000
