"""Section 3, values and templates, as far as no other test shows it: all names, what commands are told, where things run."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

import pytest

Command = Callable[..., "CompletedProcess[str]"]

NAMES = """
params: {p: x}
env: {EXTRA: ours}
steps:
  - name: items
    task: batch
    inputs:
      items: [a, b, c]
      key: "k-{{ item }}"
      batch_size: 2
      max_parallel: 1
      task:
        type: echo
        message: >-
          {{ [params.p, args.p, p, params['p'], env.EXTRA, env['HOME'] == env.HOME, run.id, run.name, run['dir'] == run.dir,
          item, key, index, attempt, batch.items, batch.index, batch['size'], batch['item'], batch.total] }}
    outputs: said
  - name: code
    task: batch
    inputs:
      items: [a, b, c]
      key: "k-{{ item }}"
      batch_size: 2
      max_parallel: 1
      task:
        type: python
        more: [1, 2]
        code: |
          return [params.p, args.p, p, params["p"], env.EXTRA, env["HOME"] == env.HOME, run.id, run.name, run["dir"] == run.dir,
                  item, key, index, attempt, batch.items, batch.index, batch["size"], batch["item"], batch.total, more]
  - name: steps-too
    task: python
    inputs:
      code: |
        one, two = steps.items, steps["items"]
        return [len(said), len(one.result), one.status, two["status"], one["error"]]
  - {name: last, task: echo, inputs: {message: "{{ [said | length, steps['steps-too']['result'], steps.items.status, steps.items.error] }}"}}
"""


def _results(batchwork: Command, step: str, *more: str) -> list[Any]:
    lines = batchwork("results", "--step", step, "--format", "jsonl", *more, expect=0).stdout.splitlines()
    return [json.loads(line)["result"] for line in lines]


@pytest.mark.promise("3.14", "3.16", "3.17")
def test_all_names_in_templates_and_in_code(batchwork: Command, work: Path) -> None:
    (work / "flow.yaml").write_text(NAMES)
    said = batchwork("run", "flow.yaml", "--run-id", "r1", expect=0).stdout.splitlines()
    once = ["x", "x", "x", "x", "ours", True, "r1", "flow", True]
    of_items = [
        ["a", "k-a", 0, 1, ["a", "b"], 0, 2, "a", 3],
        ["b", "k-b", 1, 1, ["a", "b"], 0, 2, "b", 3],
        ["c", "k-c", 2, 1, ["c"], 1, 1, "c", 3],
    ]
    assert [json.loads(line) for line in said[:3]] == [[*once, *names] for names in of_items]
    assert _results(batchwork, "code") == [[*once, *names, [1, 2]] for names in of_items]
    assert json.loads(said[3]) == [3, [3, 3, "succeeded", "succeeded", None], "succeeded", None]


ERRORS = """
steps:
  - name: items
    task: batch
    inputs:
      items: [3]
      retry: {max_attempts: 2, delay: 0, on: [3]}
      continue_on_error: true
      on_item_error: {task: echo, inputs: {message: "{{ [item, error ~ '!', error.type, error['message'], error.attempts, error.exit_code, error.status_code] }}"}}
      task: {type: shell, command: "echo bad >&2; exit {{ item }}"}
  - name: single
    task: shell
    inputs: {command: echo worse >&2; exit 9}
    on_error: {task: echo, inputs: {message: "{{ [error ~ '!', error['type'], error.message, error.attempts, error.exit_code, error.status_code] }}"}}
"""


@pytest.mark.promise("3.15")
def test_what_an_error_is_to_those_who_handle_it(batchwork: Command, work: Path) -> None:
    (work / "flow.yaml").write_text(ERRORS)
    said = batchwork("run", "flow.yaml", expect=1).stdout.splitlines()
    assert json.loads(said[0]) == [3, "bad!", "exit", "bad", 2, 3, None]
    assert json.loads(said[1]) == ["worse!", "exit", "worse", 1, 9, None]


@pytest.mark.promise("3.08", "3.10")
def test_code_is_no_template_and_templates_are_rendered_for_each_item(batchwork: Command, work: Path) -> None:
    (work / "flow.yaml").write_text(
        """
steps:
  - {name: code, task: python, inputs: {x: 5, code: "return '{{ x }} {% if %}'"}}
  - name: late
    task: batch
    inputs:
      items: [2, 0, 5]
      continue_on_error: true
      task: {type: echo, message: "{{ 10 // item }}"}
"""
    )
    batchwork("run", "flow.yaml", expect=3)
    assert _results(batchwork, "code") == ["{{ x }} {% if %}"]
    assert _results(batchwork, "late") == ["5", None, "2"]


TOLD = """
steps:
  - name: items
    task: batch
    inputs:
      items: [{"a": 1}, "x y"]
      max_parallel: 1
      retry: {max_attempts: 2, delay: 0}
      continue_on_error: true
      task:
        type: shell
        command: >-
          printf '%s\\n' "$BATCHWORK_ITEM" "$BATCHWORK_KEY" "$BATCHWORK_INDEX" "$BATCHWORK_ATTEMPT" >> told.txt;
          echo "$BATCHWORK_IDEMPOTENCY_KEY" >> keys.txt; test "$BATCHWORK_IDEMPOTENCY_KEY" = "{{ idempotency_key }}" && test -e good
  - {name: single, task: shell, inputs: {command: 'printf "%s\\n" "$BATCHWORK_RUN" "$BATCHWORK_STEP"; test "$BATCHWORK_IDEMPOTENCY_KEY" = "{{ idempotency_key }}"'}}
  - {name: code, task: python, inputs: {code: return idempotency_key}}
"""


@pytest.mark.promise("3.42", "3.43", "3.44", "3.47")
def test_what_commands_are_told_of_their_item(batchwork: Command, work: Path) -> None:
    (work / "flow.yaml").write_text(TOLD)
    batchwork("run", "flow.yaml", "--run-id", "r1", expect=3)
    told = (work / "told.txt").read_text().splitlines()
    one, two = ['{"a":1}', '{"a":1}', "0"], ['"x y"', '"x y"', "1"]
    assert told == [*one, "1", *one, "2", *two, "1", *two, "2"] or sorted(told) == sorted(
        [*one, *one, *two, *two, *"1212"]
    )
    (work / "good").touch()
    batchwork("retry", "r1", expect=0)
    keys = (work / "keys.txt").read_text().split()
    assert len(keys) == 6
    assert len(set(keys)) == 2
    assert _results(batchwork, "single")[0]["stdout"] == "r1\nsingle\n"
    (work / "keys.txt").unlink()
    batchwork("run", "flow.yaml", "--run-id", "r1", "--store", "elsewhere", expect=0)
    batchwork("run", "flow.yaml", "--run-id", "r2", expect=0)
    others = (work / "keys.txt").read_text().split()
    assert len({*keys, *others}) == 2 + 2 + 2
    codes = [*_results(batchwork, "code", "r1"), *_results(batchwork, "code", "r2")]
    assert len({*codes, *_results(batchwork, "code", "r1", "--store", "elsewhere")}) == 3


@pytest.mark.promise("3.39", "3.48", "3.49")
def test_words_without_a_shell_and_the_folders_of_tasks_and_modules(batchwork: Command, work: Path) -> None:
    flows, here = work / "flows", work / "here"
    for folder, text in ((flows, "place = 'workflow'"), (here, "place = 'here'")):
        folder.mkdir()
        (folder / "helper_of_mine.py").write_text(text)
    (here / "second_of_mine.py").write_text("only = 'here'")
    (here / "lines.txt").write_text("$(id)\n-n\na b;c*\n")
    (flows / "flow.yaml").write_text(
        """
steps:
  - {name: words, task: batch, inputs: {items: {from: lines, path: lines.txt}, task: {type: shell, argv: [python3, -c, "import sys; print(sys.argv[1:])", "--", "{{ item }}", "$HOME"]}}}
  - {name: where, task: shell, inputs: {command: pwd; ls lines.txt}}
  - name: code
    task: python
    inputs:
      code: |
        import os, helper_of_mine, second_of_mine
        return [os.getcwd(), helper_of_mine.place, second_of_mine.only]
"""
    )
    batchwork("run", "../flows/flow.yaml", expect=0, cwd=here)
    out = batchwork("results", "--step", "words", "--format", "jsonl", expect=0, cwd=here).stdout
    words = [json.loads(line)["result"]["stdout"] for line in out.splitlines()]
    assert words == [f"{['--', item, '$HOME']}\n" for item in ("$(id)", "-n", "a b;c*")]
    place = os.path.realpath(here)
    out = batchwork("results", "--step", "where", "--format", "jsonl", expect=0, cwd=here).stdout
    assert json.loads(out)["result"]["stdout"] == f"{place}\nlines.txt\n"
    out = batchwork("results", "--step", "code", "--format", "jsonl", expect=0, cwd=here).stdout
    assert json.loads(out)["result"] == [place, "workflow", "here"]
