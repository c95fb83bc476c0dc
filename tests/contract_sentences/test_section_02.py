"""Section 2, reading a workflow, as far as no other test shows it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest

Command = Callable[..., "CompletedProcess[str]"]


@pytest.mark.promise("2.08", "3.19")
def test_names_are_identifiers_and_none_is_taken_twice(batchwork: Command, work: Path) -> None:
    (work / "flow.yaml").write_text(
        """
params: {größe: 1, b_2: 2}
steps:
  - {name: schritt-ä_2, task: echo, inputs: {message: "{{ größe }}"}, outputs: ergebnis_ß}
  - {name: 1a, task: echo, inputs: {message: x}, outputs: b_2}
  - {name: a.b, task: echo, inputs: {message: x}, outputs: item}
  - {name: c, task: echo, inputs: {message: x}, outputs: ergebnis_ß}
  - {name: d, task: echo, inputs: {message: x}, outputs: a-b}
"""
    )
    said = batchwork("validate", "flow.yaml", expect=2).stderr
    assert "flow.yaml:5:12: the name of a step must be an identifier, but it is the text '1a'" in said
    assert "flow.yaml:6:12: the name of a step must be an identifier, but it is the text 'a.b'" in said
    assert "`outputs` may not be `b_2`: a parameter has that name" in said
    assert "`outputs` may not be `item`: that name is batchwork's own" in said
    assert "`outputs` may not be `ergebnis_ß`: step `schritt-ä_2` gives its result that name" in said
    assert "the name under `outputs` must be an identifier, but it is the text 'a-b'" in said
    assert "6 problems found" in said


@pytest.mark.promise("2.16", "2.17", "9.05", "9.18")
def test_checking_and_planning_run_nothing_and_a_run_checks_first(batchwork: Command, work: Path) -> None:
    file = work / "flow.yaml"
    file.write_text(
        """
params: {limit: 5}
steps:
  - {name: a, task: shell, inputs: {command: "touch ran; ls | head -n {{ params.limit }}"}}
  - {name: b, task: batch, inputs: {items: $(touch read; seq 3), task: {type: python, code: "open('ran', 'w')"}}}
"""
    )
    warned = batchwork("validate", "flow.yaml", "limit=7", expect=0)
    assert "warning: flow.yaml:4:" in warned.stderr
    assert "flow.yaml: ok, 2 steps" in warned.stdout
    planned = batchwork("plan", "flow.yaml", "limit=7", expect=0).stdout
    assert "limit = 7" in planned
    assert "2. b" in planned
    for wrong, why in (("limit=x", "must be a number"), ("limt=3", "is not declared")):
        for command in ("validate", "plan", "run"):
            said = batchwork(command, "flow.yaml", wrong, expect=2).stderr
            assert why in said
            assert "nothing ran" in said
    file.write_text(file.read_text() + '  - {name: c, task: echo, inputs: {mesage: "{{ nope }}"}}\n')
    assert "nothing ran" in batchwork("run", "flow.yaml", expect=2).stderr
    assert sorted(path.name for path in work.iterdir()) == ["flow.yaml"]
