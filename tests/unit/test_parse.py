"""Nodes to the typed spec: synonyms, the forms that things may be written in, settings."""

from __future__ import annotations

import pytest

from batchwork.errors import Place, Problem
from batchwork.spec import models, readers
from batchwork.spec.parse import parse
from batchwork.spec.written import Deferred, Limit, Rate, Reader, RetrySpec, Spec, StepSpec
from batchwork.spec.yaml.loader import load
from batchwork.spec.yaml.nodes import node_of

HERE = Place("w.yaml", 1, 1)


def spec(text: str) -> Spec:
    problems: list[Problem] = []
    found = parse(load("w.yaml", text, problems), "w.yaml", problems)
    assert problems == []
    return found


def step(text: str) -> StepSpec:
    return spec(f"steps:\n  s:\n    {text}\n").steps[0]


def test_steps_are_a_list_or_a_mapping_and_task_means_type() -> None:
    as_list = spec("steps:\n  - {name: a, task: echo, inputs: {message: x}}\n  - {name: b, type: echo}\n")
    as_mapping = spec("steps:\n  a: {type: echo, inputs: {message: x}}\n  b: {name: b, task: echo}\n")
    assert [one.name for one in as_list.steps] == [one.name for one in as_mapping.steps] == ["a", "b"]
    assert all(one.task is not None and one.task.type == "echo" for one in as_list.steps + as_mapping.steps)


@pytest.mark.parametrize(("written", "meant"), [("python_code", "python"), ("http.request", "http_request")])
def test_synonyms_of_types_are_normalised(written: str, meant: str) -> None:
    outer = step(f"task: {written}")
    inner = step(f"{{task: batch, inputs: {{items: [1], task: {{type: {written}}}}}}}")
    assert outer.task is not None
    assert inner.task is not None
    assert outer.task.type == inner.task.type == meant


def test_synonyms_of_fields_are_normalised() -> None:
    found = step(
        "{task: batch, condition: true, inputs: {items: [1], chunk_size: 3, max_workers: 5, arg_name: file, task: echo}}"
    )
    assert found.batch is not None
    assert found.when is not None
    assert (found.batch.batch_size, found.batch.max_parallel, found.batch.arg_name) == (3, 5, "file")
    assert spec("defaults: {max_workers: 3}\nsteps: {a: {task: echo}}").max_parallel == 3


def test_fields_of_a_nested_task_stand_inline_or_under_inputs() -> None:
    forms = ["{type: shell, command: x, env: {A: b}}", "{task: shell, env: {A: b}, inputs: {command: x}}"]
    found = [step(f"{{task: batch, inputs: {{items: [1], task: {form}}}}}").task for form in forms]
    assert all(task is not None and sorted(task.fields) == ["command", "env"] for task in found)


def test_retry_and_timeout_are_read_wherever_they_stand() -> None:
    found = step(
        "{task: batch, timeout: 1m, retry: 2, inputs: {items: [1], retry: {max_attempts: 3}, timeout: 2,"
        " task: {type: shell, retry: {max_attempts: 4, delay: 500ms}, inputs: {timeout: 3s}}}}"
    )
    assert found.task is not None
    assert found.batch is not None
    assert found.retry is not None
    assert (found.retry.max_attempts, found.timeout_s) == (2, 60.0)
    assert isinstance(found.batch.retry, RetrySpec)
    assert (found.batch.retry.max_attempts, found.batch.timeout_s) == (3, 2.0)
    assert isinstance(found.task.retry, RetrySpec)
    assert (found.task.retry.max_attempts, found.task.retry.delay_s, found.task.timeout_s) == (4, 0.5, 3.0)
    assert "retry" not in found.task.fields


def test_settings_may_be_templates() -> None:
    found = step("{task: batch, inputs: {items: [1], batch_size: '{{ n }}', parallel: {{ p }}, task: echo}}")
    assert found.batch is not None
    assert isinstance(found.batch.batch_size, Deferred)
    assert isinstance(found.batch.parallel, Deferred)


def test_for_each_makes_a_batch() -> None:
    found = step("{task: echo, for_each: [1, 2], parallel: {max_parallel: 4}, inputs: {message: x}}")
    assert found.batch is not None
    assert found.batch.shorthand
    assert (found.batch.each, found.batch.parallel, found.batch.max_parallel) == ("item", True, 4)


def test_parameters_are_a_default_or_a_description() -> None:
    found = spec(
        "params:\n  a: 5\n  b: {type: integer}\n  c: {x: 1}\n  d: {default: {x: 1}}\n  e: {type: string, required: false}\n"
        "steps: {s: {task: echo}}"
    ).params
    assert found is not None
    assert {name: param.required for name, param in found.items()} == dict.fromkeys("acde", False) | {"b": True}
    assert spec("steps: {s: {task: echo}}").params is None
    assert spec("params:\nsteps: {s: {task: echo}}").params == {}


def test_the_rest_of_the_top_level() -> None:
    found = spec(
        "name: 2024\nversion: 1.10\nenv: {A: 1}\nsecrets: TOKEN\nsteps: {s: {task: echo}}\nfinally: [{name: t, task: echo}]\n"
        "notify: {url: x, stalled: 5m, on: failed}\n"
    )
    assert (found.name, found.version, [node.text for node in found.secrets]) == ("2024", "1.10", ["TOKEN"])
    assert [(one.name, one.finalizer) for one in found.steps] == [("s", False), ("t", True)]
    assert (found.notify[0].on, found.notify[0].stalled_s) == (("failed", "stalled"), 300.0)


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (readers.duration("t"), 30, 30.0),
        (readers.duration("t"), "30", 30.0),
        (readers.duration("t"), "100ms", 0.1),
        (readers.duration("t"), "1.5 h", 5400.0),
        (readers.duration("t"), "5m", 300.0),
        (readers.duration("t"), 0, None),
        (readers.duration("t", zero=True), 0, 0.0),
        (readers.duration("t"), True, None),
        (readers.duration("t"), "-1s", None),
        (readers.duration("t"), 1e12, None),
        (readers.rate("r"), "50/s", Rate(50, 1.0)),
        (readers.rate("r"), "3000/min", Rate(3000, 60.0)),
        (readers.rate("r"), "100 / hour", Rate(100, 3600.0)),
        (readers.rate("r"), "0/s", None),
        (readers.rate("r"), 50, None),
        (readers.rate("r"), {"limit": 5}, None),
        (readers.failures("m"), 5, Limit(5)),
        (readers.failures("m"), "5%", Limit(None, 0.05)),
        (readers.failures("m"), "5", None),
        (readers.failures("m"), -1, None),
        (readers.integer("i", 1, 9), 9, 9),
        (readers.integer("i", 1, 9), 10, None),
        (readers.integer("i", 1, 9), "9", None),
        (readers.integer("i", 1, 9), True, None),
        (readers.boolean("b"), False, False),
        (readers.boolean("b"), "yes", None),
        (readers.share("s"), "25%", 0.25),
        (readers.share("s"), 0.25, 0.25),
        (readers.share("s"), 25, None),
        (readers.identifier("n"), "naïve_1", "naïve_1"),
        (readers.identifier("n"), "a-b", None),
        (readers.identifier("n", dashes=True), "a-b", "a-b"),
        (readers.identifier("n", dashes=True), "-b", None),
        (readers.identifier("n"), "lambda", None),
        (readers.identifier("n"), "", None),
        (readers.text("t"), 5, None),
    ],
)
def test_readers(read: Reader[object], value: object, expected: object) -> None:
    problems: list[Problem] = []
    assert read(node_of(value, HERE), problems) == expected
    assert bool(problems) == (expected is None)


def test_the_models_make_a_json_schema() -> None:
    schema = models.json_schema()
    assert "finally" in schema["$defs"]["Workflow"]["properties"]
    assert schema["$defs"]["Workflow"]["required"] == ["steps"]
