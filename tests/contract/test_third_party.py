"""What other packages add is found by entry point, used from the command line, and keeps the published contracts."""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest

from batchwork import plugins
from batchwork.clock import SystemClock
from batchwork.ports import Executor, ItemSource, SourceType, Staffing, Task
from batchwork.testing.executor_contract import Deed, ExecutorContract
from batchwork.testing.source_contract import ItemSourceContract, SourceTypeContract
from batchwork.testing.task_contract import TaskContract
from batchwork.text.jsontext import Json

PACKAGES = Path(__file__).parent.parent / "third_party"


def module(kind: str, name: str) -> ModuleType:
    """The one file of a package, which is not installed."""
    spec = importlib.util.spec_from_file_location(name, PACKAGES / kind / f"{name}.py")
    assert spec is not None and spec.loader is not None
    found = importlib.util.module_from_spec(spec)
    sys.modules[name] = found
    spec.loader.exec_module(found)
    return found


def batchwork(kind: str, folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """The command line where the package is installed."""
    return subprocess.run(
        [sys.executable, "-m", "batchwork", *words],
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(PACKAGES / kind)},
        capture_output=True,
        text=True,
        check=False,
    )


def results(kind: str, folder: Path, workflow: str) -> list[Any]:
    """What a workflow gives, run there."""
    (folder / "flow.yaml").write_text(workflow)
    done = batchwork(kind, folder, "run", "flow.yaml", "--quiet")
    assert done.returncode == 0, done.stderr
    lines = batchwork(kind, folder, "results", "--format", "jsonl").stdout.splitlines()
    return [json.loads(line)["result"] for line in lines]


# ---------------------------------------------------------------- a source


ROWS: list[Json] = [{"city": f"C{number}", "size": str(number)} for number in range(8)]
FLOW_OF_ROWS = """
steps:
  - name: greet
    task: batch
    inputs:
      items: {from: ini, path: cities.ini, delimiter: ":"}
      task: {type: echo, message: "{{ item.city }} has {{ item.size }}"}
"""


def write_cities(folder: Path) -> None:
    (folder / "cities.ini").write_text("".join(f"[C{number}]\nsize: {number}\n" for number in range(8)))


class TestTheSource(ItemSourceContract, SourceTypeContract):
    @pytest.fixture(autouse=True)
    def _cities(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        write_cities(tmp_path)

    def source_type(self) -> SourceType:
        return module("source", "ini_items").IniSource()

    def fields(self) -> dict[str, Json]:
        return {"path": "cities.ini", "delimiter": ":"}

    def source(self) -> ItemSource:
        kind = self.source_type()
        return kind.open(kind.Fields(**self.fields()), str(self.folder), os.environ)

    def expected(self) -> Sequence[Json]:
        return ROWS


@pytest.mark.promise("5.31")
def test_a_source_of_another_package_is_used(tmp_path: Path) -> None:
    write_cities(tmp_path)
    assert results("source", tmp_path, FLOW_OF_ROWS) == [f"C{number} has {number}" for number in range(8)]


def test_the_fields_of_a_source_of_another_package_are_checked(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text(FLOW_OF_ROWS.replace('":"', "5").replace("path:", "pth:"))
    done = batchwork("source", tmp_path, "validate", "flow.yaml")
    assert done.returncode == 2
    for text in (
        "`from: ini` has no field `pth`",
        "did you mean `path`?",
        "`from: ini` needs the field `path`",
        "`delimiter` of `from: ini` must be a text, not 5",
    ):
        assert text in done.stderr


def test_without_the_package_there_is_no_such_source(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text(FLOW_OF_ROWS.replace("from: ini", "from: inii"))
    done = batchwork("source", tmp_path, "validate", "flow.yaml")
    assert "there is no source `inii`" in done.stderr
    assert "did you mean `ini`?" in done.stderr


# ---------------------------------------------------------------- a task


FLOW_OF_PEOPLE = """
steps:
  - name: step
    task: batch
    inputs:
      items: [Ines, Omar]
      task: {TASK}
"""


class TestTheTask(TaskContract):
    def task(self) -> Task:
        return module("task", "greeting").Greet()

    def fields(self) -> dict[str, Json]:
        return {"whom": "{{ item }}", "word": "hi"}


@pytest.mark.promise("5.31")
def test_a_task_of_another_package_is_used(tmp_path: Path) -> None:
    flow = FLOW_OF_PEOPLE.replace("{TASK}", '{type: greet, whom: "{{ item }}"}')
    assert results("task", tmp_path, flow) == ["hello, Ines", "hello, Omar"]


# ---------------------------------------------------------------- an executor


class TestTheExecutor(ExecutorContract):
    can_die = False
    on_this_machine = False

    def start(self, staffing: Staffing) -> Executor:
        executor = module("executor", "moon").MoonExecutor(SystemClock())
        executor.start(SimpleNamespace(prepare={}), staffing)
        return executor

    def payload(self, deed: Deed, argument: Any = None) -> Json:
        return {"fail": True} if deed == "fail" else {deed: argument}


class TestTheTaskOfTheExecutor(TaskContract):
    @pytest.fixture(autouse=True)
    def _installed(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
        monkeypatch.syspath_prepend(str(PACKAGES / "executor"))
        plugins._foreign.cache_clear()
        yield
        plugins._foreign.cache_clear()

    def task(self) -> Task:
        return module("executor", "moon").MoonTask()

    def fields(self) -> dict[str, Json]:
        return {"what": "{{ item }}"}


@pytest.mark.promise("5.31")
def test_an_executor_of_another_package_is_used(tmp_path: Path) -> None:
    flow = FLOW_OF_PEOPLE.replace("{TASK}", '{type: moon, what: "dust for {{ item }}"}')
    assert results("executor", tmp_path, flow) == ["dust for Ines", "dust for Omar"]


def test_without_the_executor_the_step_fails_and_says_why(tmp_path: Path) -> None:
    (tmp_path / "flow.yaml").write_text(FLOW_OF_PEOPLE.replace("{TASK}", "{type: moon, what: x}"))
    shutil.copytree(PACKAGES / "executor", tmp_path / "lib")
    (tmp_path / "lib" / "moon-1.dist-info" / "entry_points.txt").write_text("[batchwork.tasks]\nmoon = moon:MoonTask\n")
    done = batchwork(str(tmp_path / "lib"), tmp_path, "run", "flow.yaml")
    assert done.returncode == 1
    assert "there is no executor for workers of the kind `moon`" in done.stderr + done.stdout
