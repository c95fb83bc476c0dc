"""Names that the contract promises, in real runs and in `validate`: what there is in on_item_error, and wrong ones with their line."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Command = Callable[..., "CompletedProcess[str]"]

HOOKED = """
steps:
  - name: work
    task: batch
    inputs:
      items: [5, 6]
      EXTRA
      continue_on_error: true
      on_item_error:
        type: python
        code: |
          with open("told.txt", "a") as file:
              print(error, error.type, error.exit_code, error.attempts, batch.items, batch.index, file=file)
      task: {type: shell, command: "exit 3"}
"""


@pytest.mark.parametrize(
    ("extra", "told"),
    [
        ("key: 'k{{ item }}'", ["exit code 3 exit 3 1 [5] 0", "exit code 3 exit 3 1 [6] 1"]),
        ("{batch_size: 2, each: batch}", ["exit code 3 exit 3 1 [5, 6] 0"]),
    ],
)
@pytest.mark.promise("3.15")
def test_code_in_on_item_error_has_the_error_and_the_batch(
    batchwork: Command, work: Path, extra: str, told: list[str]
) -> None:
    fields = "\n      ".join(extra.strip("{}").split(", ")) if extra.startswith("{") else extra
    (work / "flow.yaml").write_text(HOOKED.replace("EXTRA", fields))
    done = batchwork("run", "flow.yaml", expect=3)
    assert "on_item_error" not in done.stderr
    assert sorted((work / "told.txt").read_text().splitlines()) == told


def test_templates_in_on_item_error_have_the_batch(batchwork: Command, work: Path) -> None:
    hook = 'on_item_error: {task: echo, inputs: {message: "{{ batch.items }} {{ batch.index }} {{ batch.size }}"}}'
    before, _, rest = HOOKED.replace("EXTRA", "max_parallel: 1").partition("on_item_error:")
    (work / "flow.yaml").write_text(before + hook + rest[rest.index("\n      task:") :])
    done = batchwork("run", "flow.yaml", expect=3)
    assert done.stdout.startswith("[5] 0 1\n[6] 1 1\n")


def test_other_items_of_a_batch_are_not_known_in_on_item_error(batchwork: Command, work: Path) -> None:
    hook = 'on_item_error: {task: echo, inputs: {message: "{{ batch.items }}"}}'
    before, _, rest = HOOKED.replace("EXTRA", "batch_size: 2").partition("on_item_error:")
    (work / "flow.yaml").write_text(before + hook + rest[rest.index("\n      task:") :])
    done = batchwork("validate", "flow.yaml", expect=2)
    assert "flow.yaml:9:54: there is no `batch`" in done.stderr
    assert "only if each unit is a batch of its own" in done.stderr


WRONG_PARAMS = """
params: {limit: 5, other: {type: integer}}
steps:
  - {name: a, task: echo, inputs: {message: "{{ params.limt }} {{ params.other }} {{ args['nope'] }}"}}
  - {name: b, task: echo, inputs: {message: "{{ params.get('x') }} {{ params.maybe | default(1) }}"}}
  - {name: c, task: echo, inputs: {message: "{{ params.x if 'x' in params else 1 }}{% if params.y is defined %}{{ params.y }}{% endif %}"}}
"""


@pytest.mark.promise("3.03")
def test_a_wrong_parameter_is_found_with_its_line(batchwork: Command, work: Path) -> None:
    (work / "flow.yaml").write_text(WRONG_PARAMS)
    done = batchwork("validate", "flow.yaml", expect=2)
    assert "flow.yaml:4:46: there is no parameter `limt`" in done.stderr
    assert "did you mean `limit`?" in done.stderr
    assert "there is no parameter `nope`" in done.stderr
    assert "2 problems found" in done.stderr


@pytest.mark.promise("3.13")
def test_without_a_params_block_a_parameter_is_there_if_it_is_given(batchwork: Command, work: Path) -> None:
    (work / "flow.yaml").write_text('steps: {a: {task: echo, inputs: {message: "{{ params.who }}"}}}')
    done = batchwork("run", "flow.yaml", expect=2)
    assert "there is no parameter `who`" in done.stderr
    assert "who=VALUE" in done.stderr
    batchwork("run", "flow.yaml", "who=me", expect=0)
    assert "there is no parameter `who`" in batchwork("validate", "flow.yaml", expect=0).stderr


MANY = """
steps:
  - {name: a b, task: echo, inputs: {mesage: hi}}
  - {name: c, task: eco, depends_on: [q]}
  - {name: d, task: echo, inputs: {message: "{{ nope }} {{ steps.x.result }}"}}
"""
UNNAMED = """
steps:
  - {task: echo, depends_on: [maybe], inputs: {message: "{{ nope }}"}}
  - {task: echo, inputs: {mesage: "{{ steps.first.reslt }}"}}
"""


@pytest.mark.promise("2.14")
def test_a_step_with_a_wrong_name_or_type_is_checked_all_the_same(batchwork: Command, work: Path) -> None:
    (work / "flow.yaml").write_text(MANY)
    done = batchwork("validate", "flow.yaml", expect=2)
    for part in (
        "the name of a step must be an identifier",
        "unknown field `mesage`",
        "`message` is required",
        "unknown task type `eco`",
        "`depends_on` names the unknown step `q`",
        "there is no `nope`",
        "there is no step `x`",
    ):
        assert part in done.stderr
    assert "7 problems found" in done.stderr


def test_a_step_without_a_name_is_checked_all_the_same(batchwork: Command, work: Path) -> None:
    (work / "flow.yaml").write_text(UNNAMED)
    done = batchwork("validate", "flow.yaml", expect=2)
    assert done.stderr.count("`name` is required in a step") == 2
    for part in ("there is no `nope`", "unknown field `mesage`", "`message` is required"):
        assert part in done.stderr
    assert "unknown step" not in done.stderr  # it may be the name that is missing


BATCHES = """
steps:
  - name: one
    task: batch
    inputs:
      items: [1, 2, 3]
      batch_size: 2
      max_parallel: 1
      task: {type: echo, message: "{{ batch.item }} of {{ batch.items }}"}
  - name: all
    task: batch
    inputs:
      items: [1, 2, 3]
      batch_size: 2
      each: batch
      max_parallel: 1
      task: {type: echo, message: "{{ batch.item }} of {{ batch.items }}"}
  - name: told
    task: batch
    inputs:
      items: [1, 2, 3]
      batch_size: 2
      task: {type: python, code: "return [batch.item, batch.items]"}
  - {name: last, task: echo, inputs: {message: "{{ steps.told.result }}"}}
  - {name: whole, task: batch, inputs: {items: [7], task: {type: echo, message: "{{ batch }}"}}}
"""


@pytest.mark.promise("6.13")
def test_batch_item_is_the_unit(batchwork: Command, work: Path) -> None:
    (work / "flow.yaml").write_text(BATCHES)
    done = batchwork("run", "flow.yaml", expect=0)
    assert done.stdout.splitlines()[:7] == [
        "1 of [1,2]",
        "2 of [1,2]",
        "3 of [3]",
        "[1,2] of [1,2]",
        "[3] of [3]",
        "[[1,[1,2]],[2,[1,2]],[3,[3]]]",
        '{"index":0,"items":[7],"total":1,"item":7}',
    ]


WRONG_PARTS = """
steps:
  - {name: a, task: echo, inputs: {message: "{{ run.nmae }} {{ run.id }}"}}
  - {name: b, task: batch, inputs: {items: [1], task: {type: echo, message: "{{ batch.itms }} {{ batch.size }}"}}}
  - {name: c, task: echo, inputs: {message: x}, on_error: {task: echo, inputs: {message: "{{ error.code }}"}}}
"""


def test_wrong_parts_of_names_are_found_with_their_line(batchwork: Command, work: Path) -> None:
    (work / "flow.yaml").write_text(WRONG_PARTS)
    done = batchwork("validate", "flow.yaml", expect=2)
    assert "flow.yaml:3:46: `run` has no `nmae`" in done.stderr
    assert "`batch` has no `itms`" in done.stderr
    assert "`error` has no `code`" in done.stderr
    assert "3 problems found" in done.stderr


@pytest.mark.parametrize("value", ['"a\\0b"', '"{{ \'a\' ~ \\"\\0\\" }}"', "'{{ params.x }}'"])
def test_a_nul_in_the_environment_is_refused(batchwork: Command, work: Path, value: str) -> None:
    text = (
        f'params: {{x: "c\\0d"}}\nenv: {{ONE: {value}}}\nsteps: {{a: {{task: python, inputs: {{code: return 1}}}}}}\n'
    )
    (work / "flow.yaml").write_text(text)
    done = batchwork("run", "flow.yaml", expect=2)
    assert "`ONE`" in done.stderr
    assert "contains a NUL" in done.stderr


LINES = r"""
steps:
  - {name: a, task: python, inputs: {code: "x = 1\nreturn steps.nope"}}
  - {name: b, task: echo, inputs: {message: "one\n{{ gone }}"}}
  - name: c
    task: python
    inputs:
      code: |
        x = 1
        return (
"""


def test_lines_of_escaped_text_are_not_lines_of_the_file(batchwork: Command, work: Path) -> None:
    (work / "flow.yaml").write_text(LINES)
    done = batchwork("validate", "flow.yaml", expect=2)
    assert "flow.yaml:3:44: there is no step `nope`" in done.stderr
    assert "flow.yaml:4:46: there is no `gone`" in done.stderr
    assert "flow.yaml:10:16: syntax error" in done.stderr
