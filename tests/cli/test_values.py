"""Values in commands as a user sees them: option-like ones, shells with options, warnings, literal braces."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Command = Callable[..., "CompletedProcess[str]"]

FLOW = """
steps:
  - name: s
    task: batch
    inputs:
      items: ["a", "-x"]
      continue_on_error: true
      task: {type: shell, %s}
"""


def rows(done: CompletedProcess[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


@pytest.mark.parametrize(
    "task",
    [
        'command: "./tool {{ item }}"',
        'command: "./tool \\"{{ item }}\\" && true"',
        'command: "./tool b {{ [item] | args }}"',
        'argv: [./tool, "{{ item }}"]',
        'argv: [nice, --, ./tool, "{{ item }}"]',
        "argv: \"{{ ['./tool', item] }}\"",
    ],
)
@pytest.mark.promise("3.27")
def test_an_option_like_value_fails_its_item_before_the_command_starts(
    batchwork: Command, work: Path, task: str
) -> None:
    (work / "tool").write_text('#!/bin/sh\necho "$@" >> seen\n')
    (work / "tool").chmod(0o755)
    (work / "w.yaml").write_text(FLOW % task)
    batchwork("run", "w.yaml", "--quiet", expect=3)
    found = rows(batchwork("items", "--json", expect=0))
    assert [row["status"] for row in found] == ["succeeded", "failed"]
    error = found[1]["error"]
    assert isinstance(error, dict)
    assert error["type"] == "option-like value"
    for way in (" -- {{", "./{{", "--name={{", "| option }}"):
        assert way in error["message"]
    assert (work / "seen").read_text().split()[-1] == "a"


@pytest.mark.promise("3.41")
def test_a_shell_of_the_defaults_sees_every_failure(batchwork: Command, work: Path) -> None:
    command = 'command: "false | cat; echo {{ item }}"'
    (work / "w.yaml").write_text("defaults: {shell: bash -euo pipefail}" + FLOW % command)
    assert batchwork("validate", "w.yaml", expect=0).stderr == ""
    batchwork("run", "w.yaml", "--quiet", expect=3)
    assert {row["status"] for row in rows(batchwork("items", "--json", expect=0))} == {"failed"}
    (work / "w.yaml").write_text(FLOW % command)
    said = batchwork("validate", "w.yaml", expect=0)
    assert "warning: w.yaml:8" in said.stdout + said.stderr
    assert "pipefail" in said.stdout + said.stderr


@pytest.mark.promise("2.19")
def test_literal_braces_are_written_as_an_expression(batchwork: Command, work: Path) -> None:
    (work / "w.yaml").write_text("""
steps:
  - name: s
    task: shell
    inputs: {command: "printf '%s' '{{ '{{' }}.State}}'"}
""")
    batchwork("run", "w.yaml", "--quiet", expect=0)
    result = rows(batchwork("results", "--step", "s", "--format", "jsonl", expect=0))[0]["result"]
    assert isinstance(result, dict)
    assert result["stdout"] == "{{.State}}"
    (work / "w.yaml").write_text("""
steps:
  - name: s
    task: shell
    inputs: {command: "printf '%s' '{{.State}}'"}
""")
    said = batchwork("validate", "w.yaml", expect=2)
    assert "written {{ '{{' }}" in said.stdout + said.stderr


def test_commands_that_give_items_are_checked_too(batchwork: Command, work: Path) -> None:
    (work / "w.yaml").write_text("""
params: {folder: "-d"}
steps:
  - name: s
    task: batch
    inputs:
      items: $(ls {{ params.folder }})
      task: {type: echo, message: "{{ item }}"}
""")
    said = batchwork("run", "w.yaml", expect=1)
    assert "for an option" in said.stdout + said.stderr
