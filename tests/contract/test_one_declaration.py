"""A new field is one entry: a line is added to a copy of the source, and with nothing else it is read, explained and in the plan."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import batchwork

SOURCE = Path(batchwork.__file__).parent
ENTRY = """
    pause_s: Annotated[
        float | None,
        Field(duration_text(), "a rest after each attempt", name="pause", null=True, synonyms=("rest",), since="0.2"),
    ] = None
"""
WORKFLOW = """
params: {n: 2}
name: {NAME}
{TOP}
steps:
  - name: s
    task: batch
    {STEP}
    inputs:
      items: [1]
      {BATCH}
      retry: {max_attempts: 2, {RETRY}}
      task: {type: echo, message: x}
notify: {url: x, {NOTIFY}}
"""
LOOK = """
import json, sys
from batchwork.plan.knowns import Circumstances
from batchwork.plan.resolve import load_plan
from batchwork.plugins import find_task
from batchwork.errors import WorkflowError
from batchwork.spec.json_schema import workflow_schema
from batchwork.spec.reference import table
def plan(value):
    return load_plan("w.yaml", sys.argv[1].replace("VALUE", value), Circumstances([], None, {}, None, 2))
def found(value):
    whole = plan(value)
    step = whole.step("s")
    return eval(sys.argv[2], {"plan": whole, "step": step})
try:
    plan("soon")
except WorkflowError as error:
    wrong = str(error)
schema = workflow_schema({"echo": find_task("echo")}, {})
print(json.dumps([found("5m"), found("'{{ n }}s'"), wrong, schema, table(sys.argv[3])]))
"""
PLACES = [
    ("retry", "RetryPolicy(", "step.retry.pause_s", "RETRY"),
    ("batch", "BatchSettings(", "step.batch.pause_s", "BATCH"),
    ("step", "StepSettings(", "step.pause_s", "STEP"),
    ("notify", "NotifySettings(", "plan.notify[0].pause_s", "NOTIFY"),
    ("workflow", "WorkflowSettings(", "plan.pause_s", "TOP"),
]


@pytest.mark.parametrize(("module", "kind", "where", "slot"), PLACES)
@pytest.mark.promise("2.07")
def test_a_new_field_is_one_entry(tmp_path: Path, module: str, kind: str, where: str, slot: str) -> None:
    shutil.copytree(SOURCE, tmp_path / "batchwork", ignore=shutil.ignore_patterns("__pycache__"))
    file = tmp_path / "batchwork" / "spec" / "fields" / f"{module}.py"
    text = file.read_text()
    head, rest = text.split(f"class {kind}", 1)
    body, separator, after = rest.partition("\n\n\n")
    imported = "from batchwork.spec.readers import duration_text\n"
    head = head.replace("from typing import", imported + "from typing import", 1)
    file.write_text(f"{head}class {kind}{body}{ENTRY}{separator}{after}")
    workflow = WORKFLOW.replace("{" + slot + "}", "rest: VALUE").replace("{NAME}", "w")
    for other in ("TOP", "STEP", "BATCH", "RETRY", "NOTIFY"):
        workflow = workflow.replace(", {" + other + "}", "").replace("{" + other + "}", "")
    mapping = {"notify": "notification"}.get(module, module)
    done = subprocess.run(
        [sys.executable, "-c", LOOK, workflow, where, mapping],
        cwd=tmp_path,
        env={"PYTHONPATH": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    plain, rendered, wrong, schema, table = json.loads(done.stdout)
    assert (plain, rendered) == (300.0, 2.0)
    assert "`pause` must be a duration greater than 0" in wrong
    part = schema if mapping == "workflow" else schema["$defs"][mapping]
    properties = part.get("properties") or part["anyOf"][0]["properties"]
    assert properties["pause"]["description"] == "a rest after each attempt (since 0.2)"
    assert "rest" in properties
    assert "| `pause` | – | a rest after each attempt; `rest` means the same (since 0.2) |" in table
