"""Nodes to the typed spec: synonyms, the forms that things may be written in, settings."""

from __future__ import annotations

import pytest

from batchwork.errors import Place, Problem
from batchwork.spec import readers
from batchwork.spec.fields.step import StepSpec
from batchwork.spec.fields.workflow import Spec
from batchwork.spec.parse import parse
from batchwork.spec.readers import Reader
from batchwork.spec.written import Deferred, Rate, Threshold
from batchwork.spec.yaml.loader import read_yaml
from batchwork.spec.yaml.nodes import ScalarNode, node_of

HERE = Place("w.yaml", 1, 1)


def spec(text: str) -> Spec:
    problems: list[Problem] = []
    found = parse(read_yaml("w.yaml", text, problems), "w.yaml", problems)
    assert problems == []
    return found


def step(text: str) -> StepSpec:
    return spec(f"steps:\n  s:\n    {text}\n").steps[0]


@pytest.mark.promise("2.04", "2.05")
def test_steps_are_a_list_or_a_mapping_and_task_means_type() -> None:
    as_list = spec("steps:\n  - {name: a, task: echo, inputs: {message: x}}\n  - {name: b, type: echo}\n")
    as_mapping = spec("steps:\n  a: {type: echo, inputs: {message: x}}\n  b: {name: b, task: echo}\n")
    assert [one.name for one in as_list.steps] == [one.name for one in as_mapping.steps] == ["a", "b"]
    assert all(one.task is not None and one.task.type == "echo" for one in as_list.steps + as_mapping.steps)


@pytest.mark.parametrize(
    ("written", "meant"), [("python_code", "python"), ("http.request", "http_request"), ("print_message", "echo")]
)
@pytest.mark.promise("2.09")
def test_synonyms_of_types_are_normalised(written: str, meant: str) -> None:
    outer = step(f"task: {written}")
    inner = step(f"{{task: batch, inputs: {{items: [1], task: {{type: {written}}}}}}}")
    assert outer.task is not None
    assert inner.task is not None
    assert outer.task.type == inner.task.type == meant


@pytest.mark.promise("2.09")
def test_synonyms_of_fields_are_normalised() -> None:
    found = step(
        "{task: batch, condition: true, inputs: {items: [1], chunk_size: 3, max_workers: 5, arg_name: file, task: echo}}"
    )
    assert found.batch is not None
    assert found.when is not None
    assert (found.batch.settings.values, found.batch.max_parallel) == ({"batch_size": 3, "arg_name": "file"}, 5)
    assert spec("defaults: {max_workers: 3}\nsteps: {a: {task: echo}}").defaults.max_parallel == 3


@pytest.mark.promise("2.06")
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
    assert (found.retry.values, found.timeout_s) == ({"max_attempts": 2}, 60.0)
    assert found.batch.retry is not None
    assert (found.batch.retry.values, found.batch.timeout_s) == ({"max_attempts": 3}, 2.0)
    assert found.task.retry is not None
    assert (found.task.retry.values, found.task.timeout_s) == ({"max_attempts": 4, "delay_s": 0.5}, 3.0)
    assert "retry" not in found.task.fields


def test_settings_may_be_templates() -> None:
    found = step("{task: batch, inputs: {items: [1], batch_size: '{{ n }}', parallel: {{ p }}, task: echo}}")
    assert found.batch is not None
    assert isinstance(found.batch.settings.values["batch_size"], Deferred)
    assert isinstance(found.batch.settings.values["parallel"], Deferred)


@pytest.mark.promise("4.04")
def test_for_each_makes_a_batch() -> None:
    found = step("{task: echo, for_each: [1, 2], parallel: {max_parallel: 4}, inputs: {message: x}}")
    assert found.batch is not None
    assert found.batch.shorthand
    assert (found.batch.settings.values, found.batch.max_parallel) == ({"each": "item", "parallel": True}, 4)


@pytest.mark.promise("2.02")
def test_parameters_are_a_default_or_a_description() -> None:
    found = spec(
        "params:\n  a: 5\n  b: {type: integer}\n  c: {x: 1}\n  d: {default: {x: 1}}\n  e: {type: string, required: false}\n"
        "steps: {s: {task: echo}}"
    ).params
    assert found is not None
    assert {name: param.required for name, param in found.items()} == dict.fromkeys("acde", False) | {"b": True}
    assert spec("steps: {s: {task: echo}}").params is None
    assert spec("params:\nsteps: {s: {task: echo}}").params == {}


@pytest.mark.promise("2.01")
def test_the_rest_of_the_top_level() -> None:
    found = spec(
        "name: 2024\nversion: 1.10\nenv: {A: 1}\nsecrets: TOKEN\nsteps: {s: {task: echo}}\nfinally: [{name: t, task: echo}]\n"
        "notify: {url: x, stalled: 5m, on: failed}\n"
    )
    assert (found.settings.values, [node.text for node in found.secrets]) == (
        {"name": "2024", "version": "1.10"},
        ["TOKEN"],
    )
    assert [(one.name, one.finalizer) for one in found.steps] == [("s", False), ("t", True)]
    assert (found.notify[0].on, found.notify[0].settings.values) == (("failed", "stalled"), {"stalled_s": 300.0})


@pytest.mark.parametrize(
    ("read", "value", "expected"),
    [
        (readers.duration_text(), 30, 30.0),
        (readers.duration_text(), "30", 30.0),
        (readers.duration_text(), "100ms", 0.1),
        (readers.duration_text(), "1.5 h", 5400.0),
        (readers.duration_text(), "5m", 300.0),
        (readers.duration_text(), 0, None),
        (readers.duration_text(zero=True), 0, 0.0),
        (readers.duration_text(), True, None),
        (readers.duration_text(), "-1s", None),
        (readers.duration_text(), 1e12, None),
        (readers.RATE, "50/s", Rate(50, 1.0)),
        (readers.RATE, "3000/min", Rate(3000, 60.0)),
        (readers.RATE, "100 / hour", Rate(100, 3600.0)),
        (readers.RATE, "0/s", None),
        (readers.RATE, 50, None),
        (readers.RATE, {"limit": 5}, None),
        (readers.THRESHOLD, 5, Threshold(5)),
        (readers.THRESHOLD, "5%", Threshold(None, 0.05)),
        (readers.THRESHOLD, "5", None),
        (readers.THRESHOLD, -1, None),
        (readers.integer(1, 9), 9, 9),
        (readers.integer(1, 9), 10, None),
        (readers.integer(1, 9), "9", None),
        (readers.integer(1, 9), True, None),
        (readers.BOOLEAN, False, False),
        (readers.BOOLEAN, "yes", None),
        (readers.SHARE, "25%", 0.25),
        (readers.SHARE, 0.25, 0.25),
        (readers.SHARE, 25, None),
        (readers.identifier("n"), "naïve_1", "naïve_1"),
        (readers.identifier("n"), "a-b", None),
        (readers.identifier("n", dashes=True), "a-b", "a-b"),
        (readers.identifier("n", dashes=True), "-b", None),
        (readers.identifier("n"), "lambda", None),
        (readers.identifier("n"), "", None),
        (readers.TEXT, 5, None),
    ],
)
def test_readers(read: Reader[object], value: object, expected: object) -> None:
    problems: list[Problem] = []
    found = read("f", node_of(value, HERE), problems)
    if isinstance(found, ScalarNode):
        found = found.value
    assert found == expected
    assert bool(problems) == (expected is None)
