"""A first hour in an empty folder: begin, edit, check, run, look at what failed, mend a row, retry, take the results away."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Command = Callable[..., "CompletedProcess[str]"]

FLOW = """
steps:
  - name: born
    task: batch
    inputs:
      items: {from: csv, path: people.csv}
      continue_on_error: true
      task: {type: python, code: "return {'born': 2026 - int(item['age'])}"}
    outputs: people
  - {name: said, task: echo, inputs: {message: "{{ people.counts.succeeded }} people"}}
"""
KEYED = FLOW.replace("      continue", '      key: "{{ item.id }}"\n      continue')


@pytest.fixture
def people(work: Path) -> Path:
    path = work / "people.csv"
    path.write_text("id,name,age\n1,Ines,31\n2,Omar,x\n3,Wen,44\n")
    return path


def test_from_the_first_file_to_the_results(batchwork: Command, work: Path, people: Path) -> None:
    batchwork("init", expect=0)
    batchwork("run", "files.yaml", "--quiet", expect=0)
    (work / "w.yaml").write_text(KEYED.replace("outputs: people", "outputs: peple"))
    assert "did you mean `peple`?" in batchwork("validate", "w.yaml", expect=2).stderr
    (work / "w.yaml").write_text(KEYED)
    batchwork("validate", "w.yaml", expect=0)
    assert "[1]" in batchwork("plan", "w.yaml", expect=0).stdout
    batchwork("run", "w.yaml", "--quiet", expect=3)
    assert "invalid literal for int()" in batchwork("errors", expect=0).stdout
    people.write_text(people.read_text().replace("x", "22"))
    assert "3 people" in batchwork("retry", "--reread", "--downstream", expect=0).stdout
    batchwork("results", "--step", "born", "--join", "-o", "out.csv", expect=0)
    assert (work / "out.csv").read_text().splitlines()[2] == "2,Omar,22,2004,succeeded,"


def test_a_mended_row_without_a_key_is_missed_with_a_word(batchwork: Command, work: Path, people: Path) -> None:
    (work / "w.yaml").write_text(FLOW)
    assert "a row that is mended is another item" in batchwork("plan", "w.yaml", expect=0).stdout
    batchwork("run", "w.yaml", "--quiet", expect=3)
    people.write_text(people.read_text().replace("x", "22"))
    said = " ".join(batchwork("retry", "--reread", "--quiet", expect=0).stderr.split())
    assert "1 unit that was to run is no longer in the source" in said
    assert 'such as `key: "{{ item.id }}"`' in said


def test_a_key_that_was_changed_is_missed_with_a_word(batchwork: Command, work: Path, people: Path) -> None:
    (work / "w.yaml").write_text(KEYED)
    batchwork("run", "w.yaml", "--quiet", expect=3)
    people.write_text(people.read_text().replace("2,Omar,x", "7,Omar,22"))
    assert "if their keys were changed" in batchwork("retry", "--reread", "--quiet", expect=0).stderr


def test_a_key_read_as_an_attribute_gets_a_hint(batchwork: Command, work: Path, people: Path) -> None:
    (work / "w.yaml").write_text(KEYED.replace("item['age']", "item.age"))
    batchwork("run", "w.yaml", "--quiet", expect=3)
    assert "has no attribute 'age' (in Python a key is read as [\"age\"])" in batchwork("errors", expect=0).stdout


ROWS = "id,name,age\n1,Ines,31\n2,Omar\n3,Wen,44\n"


def test_rows_that_cannot_be_read_are_mended_and_read_again(batchwork: Command, work: Path, people: Path) -> None:
    people.write_text(ROWS)
    (work / "w.yaml").write_text(KEYED)
    said = batchwork("run", "w.yaml", "--run-id", "r1", expect=3).stdout
    assert "batchwork retry r1 --reread   read the rows again, once they are mended" in said
    assert "batchwork retry r1  " not in said, "a plain retry would do nothing"
    assert "then `batchwork retry r1 --reread` takes them anew" in batchwork("errors", expect=0).stderr
    assert "`batchwork retry r1 --reread` takes what the source has now" in batchwork("retry", expect=3).stderr
    people.write_text(ROWS.replace("Omar", "Omar,22"))
    assert "3 succeeded" in batchwork("retry", "--reread", expect=0).stderr


def test_both_kinds_of_failure_have_their_way_on(batchwork: Command, work: Path, people: Path) -> None:
    people.write_text(ROWS + "4,Ada,x\n")
    (work / "w.yaml").write_text(KEYED)
    said = batchwork("run", "w.yaml", "--run-id", "r1", expect=3).stdout.splitlines()[-3:]
    assert [line.split()[1:4] for line in said] == [
        ["retry", "r1", "run"],
        ["retry", "r1", "--reread"],
        ["errors", "r1", "see"],
    ]
    assert "runs them again; mend the rows" in batchwork("errors", expect=0).stderr


def test_results_say_what_they_wrote_and_of_how_much(batchwork: Command, work: Path, people: Path) -> None:
    people.write_text(ROWS + "4,Ada,x\n")
    (work / "w.yaml").write_text(KEYED)
    batchwork("run", "w.yaml", "--quiet", expect=3)
    assert "out.csv: 4 rows of step born\n" in batchwork("results", "--step", "born", "-o", "out.csv", expect=0).stderr
    some = batchwork("results", "--step", "born", "--where", "status == 'failed'", "-o", "bad.jsonl", expect=0)
    assert some.stderr == "bad.jsonl: 2 rows of step born\n"
    (work / "w.yaml").write_text(KEYED.replace("continue_on_error: true", "continue_on_error: false"))
    batchwork("run", "w.yaml", "--quiet", expect=1)
    part = batchwork("results", "--step", "born", expect=0)
    assert "step born has not finished: these are the results so far" in part.stderr


def test_a_workflow_that_is_not_there(batchwork: Command, work: Path) -> None:
    assert "`batchwork init` writes a workflow to begin with" in batchwork("run", "flow.yaml", expect=2).stderr
    (work / "people.yaml").write_text(FLOW)
    assert "YAML files in this folder: `people.yaml`" in batchwork("run", "flow.yaml", expect=2).stderr
    assert "did you mean `people.yaml`?" in batchwork("run", "poeple.yaml", expect=2).stderr
    assert "a workflow is a YAML file in UTF-8" in batchwork("run", ".", expect=2).stderr
    assert "there is no folder nowhere" in batchwork("run", "nowhere/flow.yaml", expect=2).stderr
