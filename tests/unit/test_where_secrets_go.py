"""Where a secret may stand in a workflow: every place that takes a template, and what is said at those where it may not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any, Final

import msgspec
import pytest

from batchwork.errors import WorkflowError
from batchwork.plan.knowns import Circumstances
from batchwork.plan.resolve import load_plan
from batchwork.plugins import find_source, find_task, source_names, task_names

SECRET: Final = "{{ env.MY_TOKEN }}"
SEEN: Final = "would stand in an argument list, where others can read it"
KEPT: Final = "would stand in the file of results, which others read"
NAMED: Final = "would stand in the name of a file"

FLOW: Final = """\
secrets: [MY_TOKEN]
params: {p: MY_TOKEN}
env: {COPY: "a{{ env.MY_TOKEN }}"}
%s
"""
BATCH: Final = "steps: [{name: s, task: batch, inputs: {items: [1], task: {type: echo, message: x}, %s}}]"
ITEMS: Final = "steps: [{name: s, task: batch, inputs: {items: %s, task: {type: echo, message: x}}}]"
STEP: Final = "steps: [{name: s, task: echo, inputs: {message: x}, %s}]"
NOTIFY: Final = "notify: {on: finished, %s}\nsteps: [{name: s, task: echo, inputs: {message: x}}]"


def told(text: str, environ: dict[str, str] | None = None) -> list[tuple[int, str]]:
    """What is said of the secret: the line, and the message."""
    try:
        load_plan("w.yaml", FLOW % text, Circumstances([], None, environ or {"MY_TOKEN": "5"}, None, 2))
    except WorkflowError as error:
        return [
            (problem.place.line, problem.message) for problem in error.problems if "the secret `" in problem.message
        ]
    return []


PLACES: Final = [
    # what becomes of outcomes
    (BATCH % "results: {to: r.csv, columns: {c: '{{ env.MY_TOKEN }}'}}", KEPT),
    (BATCH % "results: {to: r.csv, columns: {c: '{{ env.COPY }}'}}", KEPT),
    (BATCH % "results: {to: r.csv, columns: {c: '{{ env[params.p] }}'}}", KEPT),
    (BATCH % "results: {to: r.csv, columns: {c: ['{{ env.get(p) }}']}}", KEPT),
    (BATCH % "results: {to: r.csv, columns: {c: '{% set e = env %}{{ e.MY_TOKEN }}'}}", KEPT),
    (BATCH % "results: {to: r.csv, columns: {c: '{{ result if index else env.MY_TOKEN }}'}}", KEPT),
    (BATCH % "results: {to: r.csv, columns: {c: '{{ env.HOME }}'}}", ""),
    (BATCH % "results: {to: '{{ env.MY_TOKEN }}/r.csv'}", NAMED),
    (BATCH % "results: {to: 'a-{{ env.MY_TOKEN }}.csv'}", NAMED),
    (BATCH % "results: {to: '{{ env.MY_TOKEN }}{{ run.id }}.csv'}", ""),  # it may begin a URL: the run sees
    (BATCH % "results: {to: 'ftp://me:{{ env.MY_TOKEN }}@h/r.csv'}", ""),
    (BATCH % "results: {to: r.csv, failed: {to: 'a-{{ env.MY_TOKEN }}.jsonl'}}", NAMED),
    (BATCH % "results: {to: r.csv, failed: {to: 'ftp://me:{{ env.MY_TOKEN }}@h/r.jsonl'}}", ""),
    # what units are, and what is computed of them: masked in the store
    (BATCH % "aggregate: {n: {collect: '{{ env.MY_TOKEN }}'}}", ""),
    (BATCH % "aggregate: {n: {count: '{{ result }}', by: '{{ env.COPY }}'}}", ""),
    (BATCH % "key: '{{ item }}{{ env.MY_TOKEN }}'", ""),
    (BATCH % "batch_size: '{{ env.MY_TOKEN }}'", ""),
    (BATCH % "on_item_error: {task: echo, message: '{{ env.MY_TOKEN }}'}", ""),
    (BATCH % "on_item_error: {task: shell, argv: [a, '{{ env.MY_TOKEN }}']}", SEEN),
    (ITEMS % "['{{ env.MY_TOKEN }}']", ""),
    (ITEMS % "'{{ [env.MY_TOKEN] }}'", ""),
    (ITEMS % "'$(echo {{ env.MY_TOKEN }})'", SEEN),
    (ITEMS % "{from: lines, path: x, filter: '{{ item == env.MY_TOKEN }}'}", ""),
    (ITEMS % "{from: lines, path: x, limit: '{{ env.MY_TOKEN }}'}", ""),
    (ITEMS % "{from: zip, of: {a: {from: command, command: 'echo {{ env.MY_TOKEN }}'}}}", SEEN),
    # steps
    (STEP % "when: '{{ env.MY_TOKEN == p }}'", ""),
    (STEP % "timeout: '{{ env.MY_TOKEN }}'", ""),
    (STEP % "retry: {max_attempts: '{{ env.MY_TOKEN }}'}", ""),
    (STEP % "for_each: '$(echo {{ env.COPY }})'", SEEN),
    (STEP % "on_error: {task: shell, argv: [a, '{{ env.MY_TOKEN }}']}", SEEN),
    ("steps: [{name: s, task: shell, inputs: {command: 'a {{ env.MY_TOKEN }}'}}]", ""),
    ("steps: [{name: s, task: shell, inputs: {command: 'a {{ env.MY_TOKEN | raw }}'}}]", SEEN),
    ("steps: [{name: s, task: shell, inputs: {command: 'a {{ [env.MY_TOKEN] | args }}'}}]", SEEN),
    # who is told
    (NOTIFY % "url: 'https://h/{{ env.MY_TOKEN }}'", ""),
    (NOTIFY % "command: 'a {{ env.MY_TOKEN }}'", ""),
    (NOTIFY % "command: 'a {{ env.MY_TOKEN | raw }}'", SEEN),
]


@pytest.mark.parametrize(("text", "said"), PLACES)
def test_where_a_secret_may_stand(text: str, said: str) -> None:
    found = told(text)
    assert [line for line, _ in found] == ([4] if said else [])
    assert all(message.startswith("the secret `MY_TOKEN` ") and said in message for _, message in found)


REFUSED: Final = {("shell", "argv"), ("shell", "shell"), ("command", "command")}
"""Fields that become argument lists; the command of `shell` is bound, and the secret is in its environment."""


def _filled(fields: type, name: str, value: object) -> dict[str, Any]:
    """What a task or a source needs, and the field."""
    needed = {field.encode_name: "x" for field in msgspec.structs.fields(fields) if field.required}
    return {**needed, name: value}


def _fields() -> Iterator[tuple[str, str, str]]:
    """Every field of every task type and of every source, in a workflow with the secret in it."""
    for kind in task_names():
        task = find_task(kind)
        for field in msgspec.structs.fields(task.Fields):
            written: Any = [SECRET] if field.encode_name == "argv" else SECRET
            step = {"name": "s", "task": kind, "inputs": _filled(task.Fields, field.encode_name, written)}
            yield kind, field.encode_name, json.dumps({"steps": [step]})[1:-1]
    for kind in source_names():
        source = find_source(kind)
        for field in msgspec.structs.fields(source.Fields):
            items = {"from": kind, **_filled(source.Fields, field.encode_name, SECRET)}
            step = {"name": "s", "task": "echo", "for_each": items, "inputs": {"message": "x"}}
            yield kind, field.encode_name, json.dumps({"steps": [step]})[1:-1]


@pytest.mark.parametrize(("kind", "field", "text"), [pytest.param(*row, id=f"{row[0]}-{row[1]}") for row in _fields()])
def test_in_which_fields_of_tasks_and_sources_a_secret_may_stand(kind: str, field: str, text: str) -> None:
    found = told(text)
    assert [SEEN in message for _, message in found] == ([True] if (kind, field) in REFUSED else [])


def test_a_place_in_the_environment_that_is_a_url_may_be_secret() -> None:
    text = BATCH % "results: {to: '{{ env.MY_TOKEN }}'}"
    assert told(text, {"MY_TOKEN": "ftp://me:hunter22@h/r.csv"}) == []
    assert told(text, {"MY_TOKEN": "hunter22.csv"}) == [(4, f"the secret `MY_TOKEN` {NAMED}")]
