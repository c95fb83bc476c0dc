"""Items that are not lines of a file, as a user meets them: paths, combinations, rows of tables; also killed and gone on."""

from __future__ import annotations

import json
import os
import subprocess
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import CompletedProcess

import pytest
from cli_bench import Bench, Command, bench_in


@pytest.fixture
def bench(work: Path, batchwork: Command, environ: Mapping[str, str]) -> Bench:
    return bench_in(work, batchwork, environ)


@pytest.mark.promise("11.30")
def test_paths_are_matched_by_key_when_a_killed_run_goes_on(bench: Bench, wait_for: Callable[..., None]):
    folder = bench.work / "in"
    folder.mkdir()
    for number in range(100):
        (folder / f"{number:03} ü").touch()
    bench.write("{from: glob, pattern: 'in/*'}", "{type: shell, command: 'echo {{ item }} >> ledger; sleep 0.01'}")
    bench.kill_half_way(wait_for)
    (folder / "new").touch()
    (folder / "099 ü").unlink()
    bench.command("resume")
    done = Counter(bench.ledger())
    assert {*done} == {f"in/{number:03} ü" for number in range(99)} | {"in/new"}
    assert sum(done.values()) - len(done) <= 2, "no more were run twice than ran at the kill"
    assert bench.counts() == {"total": 100, "succeeded": 100}


def test_two_hundred_thousand_paths_take_little_memory(bench: Bench):
    for number in range(200):
        folder = bench.work / f"in/{number:03}"
        folder.mkdir(parents=True)
        for name in range(1000):
            os.close(os.open(folder / f"{name:03}.txt", os.O_CREAT | os.O_WRONLY))
    peaks = []
    for pattern in ("in/000/*", "in/**/*.txt"):
        bench.write(f"{{from: glob, pattern: '{pattern}'}}", "{type: python, code: 'return None'}")
        process = subprocess.Popen(["batchwork", "run", "w.yaml", "--quiet"], env=bench.environ)
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        peaks.append(usage.ru_maxrss)
    assert bench.counts() == {"total": 200_000, "succeeded": 200_000}
    assert peaks[1] - peaks[0] < 40 * 1024, f"KiB: {peaks}"


@pytest.mark.promise("9.47")
def test_what_there_is_is_listed(bench: Bench):
    rows = {row["source"]: row for row in bench.rows("sources", "--json")}
    assert [field["name"] for field in rows["glob"]["fields"]] == ["pattern", "sort", "type", "exclude", "hidden"]
    assert rows["range"]["fields"][2]["default"] == "default 1"
    assert "sort (true/false, default true)" in bench.command("sources", "glob").stdout
    said = bench.command("sources", "globe", expect=2).stderr
    assert "there is no item source `globe`" in said
    assert "`glob`" in said


RANGES = [
    ("stop: 3", [0, 1, 2]),
    ("start: -1, stop: 1", [-1, 0]),
    ("start: 10, stop: 0, step: -4", [10, 6, 2]),
    ("start: 5, count: 3, step: 10", [5, 15, 25]),
    ("stop: 0", []),
    ('start: 9007199254740993, count: "{{ params.count }}"', [9007199254740993, 9007199254740994]),
]


@pytest.mark.promise("11.02")
@pytest.mark.parametrize(("fields", "numbers"), RANGES)
def test_a_range_has_the_numbers_that_its_fields_say(bench: Bench, fields: str, numbers: list[int]):
    bench.write(f"{{from: range, {fields}}}", '{type: python, code: "return item"}')
    (bench.work / "w.yaml").write_text("params: {count: 2}\n" + (bench.work / "w.yaml").read_text())
    bench.command("run", "w.yaml", expect=0)
    assert bench.results() == numbers


# ---------------------------------------------------------------- every combination, side by side


@pytest.mark.promise("11.38")
def test_combinations_of_whatever_items_may_be(bench: Bench):
    (bench.work / "b.jsonl").write_text('{"n": 1}\n{"n": 2}\n')
    items = """
        from: product
        of:
          a: $(printf 'x\\ny\\n')
          b: {from: jsonl, path: b.jsonl, filter: "{{ item.n > 1 }}"}
          c: "{{ [true, none] }}"
          d: {from: zip, of: {left: [ü], right: [1.5]}}
          e: ["{{ params.word }}"]
"""
    bench.write(items, '{type: echo, message: "{{ item }}"}')
    (bench.work / "w.yaml").write_text("params: {word: w}\n" + (bench.work / "w.yaml").read_text())
    bench.command("run", "w.yaml")
    inner = [({"n": 2}, c, {"left": "ü", "right": 1.5}, "w") for c in (True, None)]
    rows = [row["item"] for row in bench.rows("items", "--json")]
    assert rows == [dict(zip("abcde", (a, *rest), strict=True)) for a in ("x", "y") for rest in inner]
    plan = bench.command("plan", "w.yaml").stdout
    assert (
        "product, a (lines of the command: printf 'x\\ny\\n'), b (jsonl, path b.jsonl, filter {{ item.n > 1 }})" in plan
    )


@pytest.mark.promise("11.38")
def test_lists_of_different_lengths_are_not_put_side_by_side(bench: Bench):
    bench.write("{from: zip, of: {a: [1, 2, 3], b: {from: range, count: 2}}}", '{type: echo, message: "{{ item }}"}')
    said = " ".join(bench.command("run", "w.yaml", expect=1).stdout.split())
    assert "`zip` takes items side by side, but `a` has 3, `b` has 2" in said
    assert bench.counts() == {}
    bench.write("{from: zip, of: {a: $(seq 5), b: [1, 2]}}", '{type: echo, message: "{{ item }}"}')
    said = " ".join(bench.command("run", "w.yaml", expect=1).stdout.split())
    assert "but `b` ends after 2 items and `a` has more" in said


def test_a_mapping_of_lists_may_be_a_parameter(bench: Bench):
    bench.write('{from: product, of: "{{ grid }}"}', '{type: echo, message: "{{ item.a }}{{ item.b }}"}')
    bench.command("run", "w.yaml", 'grid={"a": [1, 2], "b": [x]}')
    assert bench.results() == ["1x", "2x"]
    said = bench.command("run", "w.yaml", "grid=[1]", expect=1).stdout
    assert "`of` of `from: product` must give a mapping of lists that is not empty" in said
    said = bench.command("run", "w.yaml", 'grid={"a": 1}', expect=1).stdout
    assert "expected a list or a sequence of results, got int 1" in said


def test_the_results_of_a_step_are_combined_with_what_comes_from_elsewhere(bench: Bench):
    (bench.work / "w.yaml").write_text("""
steps:
  - {name: first, for_each: [1, 2], task: echo, inputs: {message: "{{ item }}"}}
  - name: other
    task: echo
    inputs: {message: x}
    depends_on: []
  - name: s
    depends_on: []
    task: batch
    inputs:
      items: {from: product, of: {a: "{{ steps.first.result }}", b: [x, y]}, filter: "{{ item.b != 'y' }}"}
      task: {type: echo, message: "{{ item.a }}{{ item.b }}"}
""")
    bench.command("run", "w.yaml")
    assert [row["result"] for row in bench.rows("results", "--step", "s", "--format", "jsonl")] == ["1x", "2x"]


@pytest.mark.parametrize(
    "empty", ["{a: [], b: [1]}", "{a: [1], b: []}", "{a: [1], b: {from: range, count: 0}, c: [2]}"]
)
def test_no_combination_is_no_item(bench: Bench, empty: str):
    bench.write(f"{{from: product, of: {empty}}}", '{type: echo, message: "{{ item }}"}')
    bench.command("run", "w.yaml")
    assert bench.counts() == {}


def test_combinations_that_were_killed_go_on(bench: Bench, wait_for: Callable[..., None]):
    (bench.work / "in.txt").write_text("".join(f"{number}\n" for number in range(25)))
    bench.write(
        "{from: product, of: {a: {from: lines, path: in.txt}, b: $(seq 4)}}",
        "{type: shell, command: 'echo {{ item.a }}-{{ item.b }} >> ledger; sleep 0.01'}",
    )
    bench.kill_half_way(wait_for)
    bench.command("resume")
    done = Counter(bench.ledger())
    assert {*done} == {f"{a}-{b}" for a in range(25) for b in range(1, 5)}
    assert sum(done.values()) - len(done) <= 2
    assert bench.counts() == {"total": 100, "succeeded": 100}


# ---------------------------------------------------------------- filter, skip, limit


@pytest.mark.promise("11.01")
@pytest.mark.parametrize("settings", ["max_parallel: 2", "batch_size: 7"])
def test_every_source_can_be_narrowed(bench: Bench, settings: str):
    (bench.work / "in.jsonl").write_text("".join(f'{{"n": {number}}}\n' for number in range(100)))
    narrowed = "{from: jsonl, path: in.jsonl, filter: '{{ item.n % params.by == 0 }}', skip: 2, limit: \"{{ 1 + 2 }}\"}"
    bench.write(narrowed, "{type: python, code: 'return item[\"n\"]'}", settings + "\n      each: item")
    bench.command("run", "w.yaml", "by=10")
    assert [row["item"]["n"] for row in bench.rows("items", "--json")] == [20, 30, 40]


def test_a_limit_ends_a_command_that_would_not_end(bench: Bench):
    bench.write("{from: command, command: 'yes ü', limit: 3}", '{type: echo, message: "{{ item }}"}')
    bench.command("run", "w.yaml")
    assert bench.results() == ["ü", "ü", "ü"]


def test_a_row_that_the_filter_fails_on_is_a_bad_row(bench: Bench):
    (bench.work / "in.jsonl").write_text('{"n": 1}\n{"m": 2}\n{"n": "x"}\n{"n": 4}\n')
    settings = "continue_on_error: true"
    bench.write(
        "{from: jsonl, path: in.jsonl, filter: '{{ item.n > 2 }}'}", '{type: echo, message: "{{ item.n }}"}', settings
    )
    bench.command("run", "w.yaml", expect=3)
    rows = bench.rows("items", "--json")
    assert [row["key"] for row in rows] == ["in.jsonl:2", "in.jsonl:3", '{"n":4}']
    assert rows[0]["error"]["type"] == "bad row"
    assert "in.jsonl:2: `filter` cannot tell whether to take it" in rows[0]["error"]["message"]
    (bench.work / "in.jsonl").write_text('{"n": 1}\n{"n": 2}\n{"n": 3}\n{"n": 4}\n')
    bench.command("retry", "--reread")
    assert bench.results() == ["3", "4"]
    bench.write("{from: range, count: 2, filter: '{{ item }}'}", '{type: echo, message: "{{ item }}"}', settings)
    bench.command("run", "w.yaml", expect=3)
    assert "it must give true or false, but gives 0" in bench.rows("items", "--json")[0]["error"]["message"]


WRONG = [
    ("{from: range, count: 2, filter: yes}", "`filter` must be a template that gives true or false"),
    ("{from: range, count: 2, filter: 'x {{ item }}'}", "`filter` must give true or false, but a template with text"),
    ("{from: range, count: 2, filter: '{{ itm }}'}", "`itm`"),
    ("{from: range, count: 2, skip: -1}", "`skip` must be a whole number from 0, but it is -1"),
    ("{from: range, count: 2, limit: true}", "`limit` must be a whole number from 0"),
    ("{from: product, of: {}}", "`of` of `from: product` names no items"),
    ("{from: product, of: [1]}", "`of` of `from: product` must be a mapping"),
    ("{from: product}", "`from: product` needs the field `of`"),
    ("{from: zip, of: {a: text}}", "`items.of.a` must be a list"),
    ("{from: zip, of: {a: {from: lnes, path: x}}}", "there is no source `lnes`"),
]


@pytest.mark.parametrize(("items", "message"), WRONG)
def test_what_is_wrong_is_said_with_its_place(bench: Bench, items: str, message: str):
    bench.write(items, '{type: echo, message: "{{ item }}"}')
    said = bench.command("validate", "w.yaml", expect=2).stderr
    assert "w.yaml:5:" in said
    assert message in said


# ---------------------------------------------------------------- what a generator yields

MODULE = """
import datetime, decimal, os, sys, time

def rows(start, count=3, *, unit="kg"):
    print("not an item")
    for number in range(start, start + count):
        os.write(1, b"nor is this")
        yield {"n": number, "unit": unit, "day": datetime.date(2026, 1, 2)}

def several():
    return [1, "ü", "\\ud800", 2**70, None]

async def later(count):
    for number in range(count):
        yield number

def broken(at):
    for number in range(at):
        yield number
    {}["missing"]

def not_json():
    yield 1
    yield {"a": [object()]}

def number():
    return 1

def dies():
    yield 1
    os.kill(os.getpid(), 11)

def leaves():
    yield 1
    sys.exit("enough")

def slow(release):
    yield 1
    while not os.path.exists(release):
        time.sleep(0.01)
    yield 2

def pieces(text):
    yield [len(text), text[:10]]
    yield [len(text), text[-10:]]


def many(count):
    for number in range(count):
        yield {"number": number, "text": "x" * 20}
"""


@pytest.fixture
def generators(bench: Bench) -> Bench:
    (bench.work / "flows").mkdir()
    (bench.work / "flows/gen.py").write_text(MODULE)
    return bench


def yielded(bench: Bench, fields: str, expect: int = 0) -> CompletedProcess[str]:
    bench.write(f"{{from: python, {fields}}}", '{type: echo, message: "{{ item }}"}')
    (bench.work / "w.yaml").rename(bench.work / "flows/w.yaml")
    return bench.command("run", "flows/w.yaml", expect=expect)


@pytest.mark.promise("11.39")
def test_what_a_generator_yields_and_nothing_that_it_prints(generators: Bench):
    yielded(generators, "function: gen:rows, start: 5, unit: ü, limit: 2")
    rows = [row["item"] for row in generators.rows("items", "--json")]
    assert rows == [{"n": number, "unit": "ü", "day": "2026-01-02"} for number in (5, 6)]
    yielded(generators, "function: gen:several")
    assert [row["item"] for row in generators.rows("items", "--json")] == [1, "ü", "\ud800", 2**70, None]
    yielded(generators, "function: gen:later, count: 3, inputs: {}")
    assert [row["item"] for row in generators.rows("items", "--json")] == [0, 1, 2]
    yielded(generators, "function: gen:later, count: 0")
    assert generators.rows("items", "--json") == []


def test_inputs_may_be_large(generators: Bench):
    """20 MB, more than arguments and environment may hold, also while it is read a second time."""
    text = "".join(f"{number:>9}\u00fc" for number in range(2_000_000))
    (generators.work / "given.json").write_text(json.dumps({"text": text}))
    (generators.work / "flows/w.yaml").write_text(
        "params: {text: none}\nsteps:\n  - name: s\n    task: batch\n    inputs:\n"
        "      items: {from: python, function: gen:pieces, text: '{{ params.text }}'}\n      task: {type: echo, message: x}\n"
    )
    generators.command("run", "flows/w.yaml", "--params-file", "given.json")
    assert [row["item"] for row in generators.rows("items", "--json")] == [
        [20_000_000, "        0\u00fc"],
        [20_000_000, "  1999999\u00fc"],
    ]


FAILING = [
    ("function: gen:broken, at: 2", "the function `gen:broken` failed: KeyError: there is no key 'missing'"),
    ("function: gen:broken, at: 0", '{}["missing"]'),
    ("function: gen:not_json", "`gen:not_json` yields as item 1 what is not JSON data"),
    ("function: gen:not_json", "$.a[0]"),
    ("function: gen:number", "`gen:number` must be a generator, or give a list, but it gives int"),
    ("function: gen:dies", "the function `gen:dies` was killed by SIGSEGV"),
    ("function: gen:leaves", "the code called sys.exit('enough')"),
    ("function: gen:rows", "`gen:rows` needs `start`"),
    ("function: gen:rows, start: 1, colour: red", "`gen:rows` takes no `colour`; it takes start, count, unit"),
    ("function: gen:row, start: 1", "has no `row`; did you mean rows?"),
    ("function: gone:rows", "`gone:rows` cannot be imported: No module named 'gone'"),
    ("function: gen:several, interpreter: ./no-python", "no-python"),
]


@pytest.mark.parametrize(("fields", "message"), FAILING)
def test_a_generator_that_fails_fails_the_step_and_says_where(generators: Bench, fields: str, message: str):
    said = yielded(generators, fields, expect=1)
    assert message in " ".join((said.stdout + said.stderr).split())
    assert "Traceback" not in said.stderr or "gen.py" in said.stderr
    assert "generator.py" not in said.stdout + said.stderr


def test_a_function_is_named_in_full(generators: Bench):
    said = yielded(generators, "function: rows", expect=2).stderr
    assert "`function` must name a function in a module, not 'rows'" in said


def test_items_are_run_while_the_generator_goes_on(generators: Bench):
    generators.write(
        "{from: python, function: gen:slow, release: go}", "{type: shell, command: 'touch go; echo {{ item }}'}"
    )
    (generators.work / "w.yaml").rename(generators.work / "flows/w.yaml")
    generators.command("run", "flows/w.yaml")
    assert generators.counts() == {"total": 2, "succeeded": 2}


def test_a_generator_with_a_secret_and_a_plan(generators: Bench):
    fields = "function: gen:rows, start: 1, unit: '{{ env.UNIT }}'"
    generators.write(f"{{from: python, {fields}}}", '{type: echo, message: "{{ item.n }}"}')
    text = "secrets: [UNIT]\n" + (generators.work / "w.yaml").read_text()
    (generators.work / "flows/w.yaml").write_text(text)
    planned = generators.command("plan", "flows/w.yaml", env={"UNIT": "swordfish"}).stdout
    assert "known when the step runs" in planned
    generators.command("run", "flows/w.yaml", env={"UNIT": "swordfish"})
    assert generators.counts() == {"total": 3, "succeeded": 3}
    assert "swordfish" not in generators.command("items", "--json").stdout


def test_a_generator_that_was_killed_goes_on(generators: Bench, wait_for: Callable[..., None]):
    generators.write(
        "{from: python, function: gen:many, count: 100}",
        "{type: shell, command: 'echo {{ item.number }} >> ledger; sleep 0.01'}",
    )
    (generators.work / "gen.py").write_text(MODULE)
    generators.kill_half_way(wait_for)
    generators.command("resume")
    done = Counter(generators.ledger())
    assert {*done} == {str(number) for number in range(100)}
    assert sum(done.values()) - len(done) <= 2
