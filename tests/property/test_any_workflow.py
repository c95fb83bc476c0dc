"""However a workflow is damaged, reading it gives a plan or problems with places, and nothing else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchwork.errors import Problem, WorkflowError
from batchwork.plan.knowns import Circumstances
from batchwork.plan.model import Plan
from batchwork.plan.resolve import load_plan

WHOLE = """\
name: enrich-users
params:
  source: {type: string, default: users.jsonl}
  limit: 50
env: {MODE: "{{ params.source }}"}
secrets: [API_TOKEN]
defaults: {retry: {max_attempts: 2}, timeout: 5m, max_parallel: 3}
steps:
  - name: enrich
    task: batch
    inputs:
      items: {from: jsonl, path: "{{ params.source }}"}
      key: "{{ item.id }}"
      batch_size: "{{ limit }}"
      each: item
      parallel: {max_parallel: 16}
      rate_limit: 50/s
      timeout: 30
      retry: {max_attempts: 4, delay: 1, backoff: 2, max_delay: 60, jitter: true, on: [timeout, 503]}
      max_failures: 5%
      on_item_error: {task: echo, inputs: {message: "{{ item.id }}: {{ error }}"}}
      task:
        type: shell
        command: "echo {{ item.id }}"
    outputs: users
  - name: list
    task: echo
    for_each: {{ users }}
    when: "{{ steps.enrich.status == 'succeeded' }}"
    depends_on: [enrich]
    on_error: {task: echo, inputs: {message: "{{ error }}"}}
    inputs: {message: "{{ item }}"}
finally:
  last: {task: echo, inputs: {message: "{{ run.status }}"}}
notify: {url: "https://example.com", on: [failed], stalled: 5m}
"""
LINES = WHOLE.splitlines()
VALUES = [
    "",
    "5",
    "-1",
    "x",
    "[a, 1]",
    "{a: b}",
    "null",
    "{{ x }}",
    '"{{ item }}"',
    "yes",
    "{from: x}",
    "$(ls)",
    "1e400",
    "'",
]


@st.composite
def damaged(draw: st.DrawFn) -> str:
    lines = list(LINES)
    for _ in range(draw(st.integers(1, 4))):
        at = draw(st.integers(0, len(lines) - 1))
        line = lines[at]
        match draw(st.sampled_from(["drop", "double", "indent", "value", "letter"])):
            case "drop":
                del lines[at]
            case "double":
                lines.insert(at, line)
            case "indent":
                lines[at] = " " * draw(st.integers(0, 9)) + line.lstrip()
            case "value":
                lines[at] = line.partition(":")[0] + ": " + draw(st.sampled_from(VALUES))
            case _:
                place = draw(st.integers(0, max(len(line) - 1, 0)))
                lines[at] = line[:place] + draw(st.sampled_from("x:{}[]-#&*!|>'\"%@` \t\0é")) + line[place + 1 :]
        if not lines:
            break
    return "\n".join(lines)


def test_the_whole_one_is_right() -> None:
    plan = load_plan("w.yaml", WHOLE, Circumstances([], None, {"API_TOKEN": "abcdef"}, None, 4))
    assert [step.name for step in plan.steps] == ["enrich", "list", "last"]
    assert plan.warnings == ()


def outcome(text: str, lenient: bool = False) -> tuple[Plan | None, tuple[Problem, ...]]:
    try:
        return load_plan("w.yaml", text, Circumstances([], None, {"API_TOKEN": "abcdef"}, None, 4, lenient)), ()
    except WorkflowError as error:
        return None, error.problems


@given(damaged())
def test_a_damaged_one_is_explained(text: str) -> None:
    plan, problems = outcome(text)
    assert (plan is None) == bool(problems)
    assert all(problem.place.line > 0 and problem.message for problem in problems), problems


@pytest.mark.parametrize("line", range(len(LINES)))
def test_without_any_one_line_it_is_read_or_explained(line: int) -> None:
    plan, problems = outcome("\n".join(LINES[:line] + LINES[line + 1 :]), lenient=True)
    assert (plan is None) == bool(problems)
