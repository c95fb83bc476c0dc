"""The JSON Schema of workflow files: it takes every workflow that is right, explains each field, and refuses what is wrong."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, ClassVar

import jsonschema
import msgspec
import pytest

from batchwork.plugins import find_source, find_task, source_names, task_names
from batchwork.ports import SourceType
from batchwork.spec.field import declared
from batchwork.spec.json_schema import MAPPINGS, workflow_schema
from batchwork.spec.yaml.loader import read_yaml
from batchwork.spec.yaml.nodes import json_of

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = workflow_schema(
    {name: find_task(name) for name in task_names()}, {name: find_source(name) for name in source_names()}
)
CHECK = jsonschema.Draft202012Validator(SCHEMA)


def read(text: str) -> Any:
    problems: list[Any] = []
    node = read_yaml("w.yaml", text, problems)
    assert problems == []
    assert node is not None
    return json_of(node)


def complaints(text: str) -> list[str]:
    return [f"{error.json_path}: {error.message[:300]}" for error in CHECK.iter_errors(read(text))]


def blocks(path: Path) -> list[str]:
    """The YAML blocks of a page that are whole workflows, unless the page adds what is used in them."""
    found = re.findall(r"^```yaml\n(.*?)^```", path.read_text(), flags=re.S | re.M)
    return [block for block in found if re.search(r"^steps:", block, re.M) and "add-a-" not in path.name]


@pytest.mark.promise("9.48")
def test_it_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


@pytest.mark.parametrize("number", range(1, 10))
def test_it_takes_the_workflows_of_the_founding_document(number: int) -> None:
    block = (ROOT / f"tests/examples/founding/{number}.yaml").read_text()
    whole = block if re.search(r"^steps:", block, re.M) else f"steps:\n{block}"
    assert complaints(whole) == []


@pytest.mark.parametrize("page", sorted((ROOT / "docs").rglob("*.md")), ids=lambda path: path.stem)
def test_it_takes_the_workflows_of_the_pages(page: Path) -> None:
    for block in blocks(page):
        assert complaints(block) == [], block


@pytest.mark.parametrize("file", sorted((ROOT / "examples").rglob("*.yaml")), ids=lambda path: path.stem)
def test_it_takes_the_examples(file: Path) -> None:
    text = file.read_text()
    if re.search(r"^steps:", text, re.M):
        assert complaints(text) == []


TASKS = [
    "{task: shell, inputs: {command: echo, env: {A: 1}, timeout: 5m, retry: 3}}",
    "{type: http_request, inputs: {url: x, verify: '{{ v }}', follow_redirects: 3}}",
    "{task: python, inputs: {code: return 1, factor: 2}}",
    "{task: echo, for_each: [1, 2], max_workers: 3, condition: '{{ a }}', inputs: {message: hi}}",
    "{task: batch, inputs: {items: $(ls), chunk_size: '{{ n }}', task: {type: shell, command: x, retry: {delay: 1s}}}}",
    "{task: batch, inputs: {items: {from: lines, path: x}, parallel: {max_parallel: 3}, task: {task: echo, inputs: {message: x}}}}",
    "{task: batch, inputs: {items: '{{ x }}', task: echo, on_item_error: {type: echo, message: x}, rate_limit: 5/s}}",
]


@pytest.mark.parametrize("step", TASKS)
@pytest.mark.promise("4.01")
def test_it_takes_all_forms_of_a_step(step: str) -> None:
    assert complaints(f"steps:\n  s: {step}\n") == []


WRONG = [
    "{task: shell, inputs: {comand: echo}}",
    "{task: shel, inputs: {command: echo}}",
    "{task: echo, inputs: {}}",
    "{task: echo, inputs: {message: x}, whenn: true}",
    "{task: http_request, inputs: {url: x, verify: [1]}}",
    "{task: batch, inputs: {items: [1], task: {type: shell, comand: x}}}",
    "{task: batch, inputs: {items: 5, task: echo}}",
    "{task: batch, inputs: {items: {from: range, stopp: 3}, task: echo}}",
    "{task: batch, inputs: {items: {from: nowhere}, task: echo}}",
    "{task: batch, inputs: {items: [1], batch_size: 0, task: echo}}",
    "{task: batch, inputs: {items: [1], batch_size: many, task: echo}}",
    "{task: batch, inputs: {items: [1], on_duplicate: kepe, task: echo}}",
    "{task: batch, inputs: {task: echo}}",
    "{task: echo, timeout: soon, inputs: {message: x}}",
    "{task: echo, retry: {max_attempts: 0}, inputs: {message: x}}",
]


@pytest.mark.parametrize("step", WRONG)
def test_it_refuses_what_is_wrong(step: str) -> None:
    assert complaints(f"steps:\n  s: {step}\n") != []


def test_it_refuses_what_is_wrong_at_the_top() -> None:
    assert complaints("stepss: {}\n") != []
    assert complaints("steps: [{task: echo, inputs: {message: x}}]\n") != []
    assert complaints("steps: {s: {task: echo, inputs: {message: x}}}\nnotify: {urll: x}\n") != []


@pytest.mark.promise("9.48")
def test_every_field_is_explained_with_its_default() -> None:
    for name, declarations in MAPPINGS.items():
        found = SCHEMA if name == "workflow" else SCHEMA["$defs"][name]
        properties = found.get("properties") or found["anyOf"][0]["properties"]
        for kind in declarations:
            for field in declared(kind).values():
                assert properties[field.name]["description"].startswith(field.text), field.name
    assert SCHEMA["$defs"]["batch"]["properties"]["on_in_doubt"]["default"] == "retry"
    assert SCHEMA["$defs"]["inputs_of_shell"]["properties"]["command"]["description"]


def test_types_and_sources_of_others_are_in_it() -> None:
    class DiceFields(msgspec.Struct):
        sides: int = 6

    class Thrown(SourceType):
        name = "dice"
        Fields: ClassVar[type] = DiceFields

        def open(self, fields: Any, cwd: str, environ: Any) -> Any:
            raise AssertionError("nothing is read here")

    schema = workflow_schema({"echo": find_task("echo"), "say": find_task("echo")}, {"dice": Thrown()})
    check = jsonschema.Draft202012Validator(schema)
    step = {"task": "say", "for_each": {"from": "dice", "sides": 3}, "inputs": {"message": 1}}
    assert check.is_valid({"steps": {"s": step}})
    assert not check.is_valid({"steps": {"s": {**step, "for_each": {"from": "dice", "side": 3}}}})
