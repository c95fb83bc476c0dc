"""Runs that go on with sources that changed, broke off or vanished, and retries of values that are not stored, by the real command."""

from __future__ import annotations

import json
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from killing import kill_when

Rows = list[dict[str, Any]]


class Bench:
    """A workflow with one batch step in the test's folder; its shell items write themselves into `ledger`."""

    def __init__(self, work: Path, command: Callable[..., Any], environ: Mapping[str, str]) -> None:
        self.work, self.command, self.environ = work, command, environ

    def write(self, inputs: str, task: str, head: str = "") -> None:
        fields = "".join(f"      {line}\n" for line in inputs.strip().splitlines())
        (self.work / "f.yaml").write_text(
            f"{head}steps:\n  - name: s\n    task: batch\n    inputs:\n{fields}      task: {task}\n"
        )

    def items(self) -> Rows:
        return [json.loads(line) for line in self.command("items", "--json").stdout.splitlines()]

    def counts(self) -> dict[str, int]:
        found: dict[str, int] = json.loads(self.command("status", "--json").stdout)["steps"]["s"]["counts"]
        return {name: count for name, count in found.items() if count}

    def ledger(self) -> Counter[str]:
        return Counter((self.work / "ledger").read_text().splitlines())

    def kill_when(self, fact: Callable[[], object], wait_for: Callable[..., None], *words: str) -> None:
        process = subprocess.Popen(
            ["batchwork", *words], env=self.environ, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        assert kill_when(process, fact, wait_for)


@pytest.fixture
def bench(work: Path, batchwork: Callable[..., Any], environ: Mapping[str, str]) -> Bench:
    return Bench(work, batchwork, environ)


def test_a_command_that_breaks_off_is_run_again_and_what_is_done_is_not(bench: Bench):
    bench.write(
        "items: $(seq 1 100; until test -s ledger; do sleep 0.01; done; test -e ok)\nmax_parallel: 4",
        "{type: shell, command: 'echo {{ item }} >> ledger'}",
    )
    done = bench.command("run", "f.yaml", expect=1)
    assert "exit code 1" in done.stdout
    assert bench.items(), "what came before the end was run"
    (bench.work / "ok").touch()
    bench.command("resume")
    assert bench.counts() == {"total": 100, "succeeded": 100}
    assert bench.ledger() == Counter(map(str, range(1, 101)))


def test_a_file_that_is_gone_is_an_error_and_loses_nothing(bench: Bench):
    bench.write(
        "items: {from: lines, path: x}\nmax_parallel: 1",
        "{type: shell, command: 'echo {{ item }} >> ledger; test {{ item }} != c || test -e ok'}",
    )
    (bench.work / "x").write_text("a\nb\nc\nd\n")
    bench.command("run", "f.yaml", expect=1)
    (bench.work / "x").unlink()
    assert "x: no such file" in bench.command("resume", expect=1).stderr
    assert [row["status"] for row in bench.items()[:2]] == ["succeeded", "succeeded"]
    (bench.work / "x").write_text("a\nb\nc\nd\n")
    (bench.work / "ok").touch()
    bench.command("resume")
    assert bench.ledger() == Counter({"a": 1, "b": 1, "c": 2, "d": 1})


@pytest.mark.parametrize("tail", ["", "b\nc\n", "z\n"])
def test_skipped_duplicates_are_counted_once(bench: Bench, tail: str):
    bench.write(
        "items: {from: lines, path: x}\nmax_parallel: 1\non_duplicate: skip",
        "{type: shell, command: 'echo {{ item }} >> ledger; test {{ item }} != c || test -e ok'}",
    )
    (bench.work / "x").write_text("a\nb\na\nc\na\n")
    bench.command("run", "f.yaml", expect=1)
    (bench.work / "x").write_text(f"a\nb\na\nc\na\n{tail}")
    (bench.work / "ok").touch()
    bench.command("resume")
    lines = ("a\nb\na\nc\na\n" + tail).split()
    assert bench.counts() == {"total": len(lines), "succeeded": len({*lines}), "skipped": len(lines) - len({*lines})}


@pytest.mark.promise("9.39")
def test_recorded_batches_keep_their_members(bench: Bench):
    bench.write(
        "items: {from: lines, path: x}\nbatch_size: 3\neach: batch\nmax_parallel: 1",
        """
        type: shell
        command: 'echo {{ item }} >> ledger; test {{ item[2] | default("") }} != f || test -e ok'""",
    )
    (bench.work / "x").write_text("\n".join("abcdefghi"))
    bench.command("run", "f.yaml", expect=1)
    (bench.work / "x").write_text("\n".join("XabcdefgYhi"))
    (bench.work / "ok").touch()
    bench.command("resume")
    assert ["".join(row["item"]) for row in bench.items()] == ["abc", "def", "XgY", "hi"]
    assert [row["attempts"] for row in bench.items()] == [1, 2, 1, 1]
    assert bench.counts() == {"total": 4, "succeeded": 4}


@pytest.mark.parametrize("each", ["item", "batch"])
def test_a_retried_unit_has_its_batch(bench: Bench, each: str):
    bench.write(
        f"items: {{from: range, count: 7}}\nbatch_size: 3\neach: {each}\ncontinue_on_error: true",
        "{type: shell, command: 'echo {{ batch.index }} {{ batch.items }} {{ batch.total }}; test -e ok || test {{ index }} != 1'}",
    )
    bench.command("run", "f.yaml", expect=3)
    assert [row["status"] for row in bench.items()].count("failed") == 1
    (bench.work / "ok").touch()
    bench.command("retry")
    row = bench.items()[1]
    assert row["attempts"] == 2
    assert row["result"]["stdout"] == ("0 [0,1,2] 7\n" if each == "item" else "1 [3,4,5] 7\n")


def test_a_value_with_a_secret_is_not_retried_without_it(bench: Bench):
    bench.write(
        'items: ["a", "{{ env.TOKEN }}", "c"]\ncontinue_on_error: true',
        "{type: shell, command: 'echo {{ item }} >> ledger; test -e ok'}",
        "secrets: [TOKEN]\n",
    )
    secret = {"TOKEN": "canary-12345"}
    bench.command("run", "f.yaml", expect=3, env=secret)
    (bench.work / "ok").touch()
    done = bench.command("retry", expect=3, env=secret)
    assert "1 failed unit stays as before" in done.stderr
    assert bench.ledger() == Counter({"a": 2, "canary-12345": 1, "c": 2})
    assert [row["status"] for row in bench.items()] == ["succeeded", "failed", "succeeded"]
    done = bench.command("retry", expect=3, env=secret)
    assert "nothing to do" in done.stderr
    assert bench.ledger()["***"] == 0


def test_a_failed_step_reads_a_value_with_a_secret_again(bench: Bench):
    bench.write(
        'items: ["a", "{{ env.TOKEN }}"]\nmax_failures: 1',
        "{type: shell, command: 'echo {{ item }} >> ledger; test -e ok'}",
        "secrets: [TOKEN]\n",
    )
    secret = {"TOKEN": "canary-12345"}
    bench.command("run", "f.yaml", expect=1, env=secret)
    (bench.work / "ok").touch()
    bench.command("retry", env=secret)
    assert bench.ledger() == Counter({"a": 2, "canary-12345": 2})


@pytest.mark.fault("K12")
def test_what_was_in_doubt_and_failed_can_be_retried(bench: Bench, wait_for: Callable[..., None]):
    bench.write(
        'items: [{id: x1}, {id: x2}, {id: x3}]\nkey: "{{ item.id }}"\nmax_parallel: 2\n'
        "continue_on_error: true\non_in_doubt: fail",
        "{type: shell, command: 'echo {{ item.id }} >> ledger; test -e ok || sleep 60'}",
    )
    ledger = bench.work / "ledger"
    bench.kill_when(lambda: ledger.exists() and len(bench.ledger()) == 2, wait_for, "run", "f.yaml")
    (bench.work / "ok").touch()
    assert [(row["key"], row["status"], row["item"]) for row in bench.items()] == [
        ("x1", "in_doubt", None),
        ("x2", "in_doubt", None),
    ]
    bench.command("resume", expect=3)
    assert bench.counts() == {"total": 3, "succeeded": 1, "failed": 2}
    bench.command("retry")
    assert bench.counts() == {"total": 3, "succeeded": 3}
    assert [row["item"] for row in bench.items()] == [{"id": "x1"}, {"id": "x2"}, {"id": "x3"}]


def test_a_mended_command_is_retried_with_its_changes_accepted(bench: Bench):
    bench.write(
        "items: [1, 2]\ncontinue_on_error: true",
        "{type: shell, command: 'echo {{ item }} >> ledger; test {{ item }} = 1'}",
    )
    bench.command("run", "f.yaml", expect=3)
    bench.write("items: [1, 2]\ncontinue_on_error: true", "{type: shell, command: 'echo {{ item }} >> ledger'}")
    refused = bench.command("retry", expect=4)
    assert "`command` was" in refused.stderr
    assert "`--accept-changes`" in refused.stderr
    bench.command("retry", "--accept-changes")
    assert bench.ledger() == Counter({"1": 1, "2": 2})


@pytest.mark.fault("K12")
@pytest.mark.promise("6.30")
def test_in_doubt_and_stop_says_what_to_do(bench: Bench, wait_for: Callable[..., None]):
    bench.write(
        "items: [1, 2]\nmax_parallel: 1\non_in_doubt: stop",
        "{type: shell, command: 'echo {{ item }} >> ledger; test -e ok || sleep 60'}",
    )
    bench.kill_when((bench.work / "ledger").exists, wait_for, "run", "f.yaml")
    (bench.work / "ok").touch()
    for _ in range(2):
        stopped = bench.command("resume", expect=1)
        assert "1 in doubt after a crash" in stopped.stderr
        assert "resume with `on_in_doubt: retry` or `fail`" in stopped.stderr
        counts = json.loads(bench.command("status", "--json").stdout)["steps"]["s"]["counts"]
        assert (counts["in_doubt"], counts["pending"]) == (1, 1), "still in doubt, and shown as such"
    workflow = bench.work / "f.yaml"
    workflow.write_text(workflow.read_text().replace("stop", "retry"))
    bench.command("resume")
    assert bench.ledger() == Counter({"1": 2, "2": 1})


@pytest.mark.parametrize(("left", "told"), [(5, True), (99, False)])
@pytest.mark.promise("9.38")
def test_many_items_that_are_gone_at_once_are_told(bench: Bench, work: Path, left: int, told: bool):
    bench.write(
        "items: {from: lines, path: in.txt}\nmax_parallel: 1",
        "{type: shell, command: 'test {{ item }} != 90 -o -e ok'}",
    )
    (work / "in.txt").write_text("".join(f"{number}\n" for number in range(1, 101)))
    bench.command("run", "f.yaml", expect=1)
    (work / "ok").touch()
    (work / "in.txt").write_text("".join(f"{number}\n" for number in range(1, left + 1)))
    done = bench.command("resume")
    assert ("no longer in the source" in done.stderr) is told
    assert bench.counts()["succeeded"] == left


@pytest.mark.parametrize("grouping", ["", "each: batch\nbatch_size: 2", "each: item\nbatch_size: 2"])
@pytest.mark.promise("9.04")
def test_a_retry_takes_the_values_of_its_source_only_when_asked_to(bench: Bench, work: Path, grouping: str):
    task = {
        "": "return 10 / item['a']",
        "each: batch\nbatch_size: 2": "return [10 / one['a'] for one in item]",
        "each: item\nbatch_size: 2": "return 10 / item['a'] + 0 * len(batch['items'])",
    }[grouping]
    bench.write(
        f"items: {{from: jsonl, path: in.jsonl}}\nkey: '{{{{ item.id }}}}'\ncontinue_on_error: true\n{grouping}",
        f"{{type: python, code: \"open('ledger', 'a').write(str(key) + chr(10)); {task}\"}}",
    )
    rows = [{"id": number, "a": 0 if number == 2 else number} for number in range(1, 7)]
    (work / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    bench.command("run", "f.yaml", expect=3)
    before = sum(bench.ledger().values())
    # mended, in another order, with a row more, which is not the retry's business
    mended = [{"id": 2, "a": 5}, *rows[:1], *rows[2:], {"id": 99, "a": 1}]
    if "batch" in grouping.split("\n", maxsplit=1)[0]:
        mended = [rows[0], {"id": 2, "a": 5}, *rows[2:], {"id": 99, "a": 1}]
    (work / "in.jsonl").write_text("".join(json.dumps(row) + "\n" for row in mended))
    told = bench.command("retry", expect=3).stderr
    assert "values that are recorded" in told and "--reread" in told
    bench.command("retry", "--reread")
    assert sum(bench.ledger().values()) == before + 2  # what failed, twice
    counts = bench.counts()
    assert counts["total"] == counts["succeeded"]
    results = [
        one for row in bench.items() for one in (row["result"] if isinstance(row["result"], list) else [row["result"]])
    ]
    assert sorted(results) == sorted(10 / (5 if number == 2 else number) for number in range(1, 7))
    assert sorted(row["index"] for row in bench.items()) == [*range(counts["total"])]


@pytest.mark.promise("6.08")
def test_a_reread_takes_every_row_that_is_not_recorded_for_bad_rows(bench: Bench, work: Path):
    bench.write(
        "items: {from: jsonl, path: in.jsonl}\nkey: '{{ item.id }}'\ncontinue_on_error: true",
        "{type: shell, command: 'echo {{ item.id }} >> ledger'}",
    )
    (work / "in.jsonl").write_text('{"id": 1}\n{"id":\n{"id": 4}\n')
    bench.command("run", "f.yaml", expect=3)
    (work / "in.jsonl").write_text('{"id": 1}\n{"id": 2}\n{"id": 3}\n{"id": 4}\n')
    bench.command("retry", "--reread")
    assert bench.ledger() == Counter("1234")
    assert [row["key"] for row in bench.items() if row["index"] is not None] == ["1", "2", "3", "4"]
    assert bench.counts() == {"total": 5, "succeeded": 4, "skipped": 1}


@pytest.mark.parametrize(("more", "ran"), [((), ["2 old"]), (("--reread",), ["2 new"])])
def test_a_resume_runs_what_is_recorded_with_the_value_that_was_asked_for(
    bench: Bench, work: Path, more: tuple[str, ...], ran: list[str]
):
    bench.write(
        "items: {from: jsonl, path: in.jsonl}\nkey: '{{ item.id }}'\nparallel: false",
        "{type: shell, command: 'test {{ item.id }} != 2 -o -e ok && echo {{ item.id }} {{ item.v }} >> ledger'}",
    )
    (work / "in.jsonl").write_text("".join(f'{{"id": {number}, "v": "old"}}\n' for number in (1, 2, 3)))
    bench.command("run", "f.yaml", expect=1)
    (work / "ok").touch()
    (work / "in.jsonl").write_text("".join(f'{{"id": {number}, "v": "new"}}\n' for number in (1, 2, 3)))
    told = bench.command("resume", *more).stderr
    assert bench.ledger() == Counter(["1 old", *ran, "3 new"])
    assert ("--reread" in told) is (not more)
