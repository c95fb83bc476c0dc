"""Golden files: every message about a wrong workflow, word for word. `BATCHWORK_GOLDEN=write` writes them anew, to be read."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from task_fakes import fake_find, fake_names

from batchwork.errors import WorkflowError
from batchwork.plan import resolve, tasks
from batchwork.plan.knowns import Circumstances

FOLDER = Path(__file__).parent / "golden" / "workflows"
FILES = sorted(FOLDER.glob("*.yaml"))


@pytest.fixture(autouse=True)
def _fake_tasks(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tasks, "find_task", fake_find)
    monkeypatch.setattr(tasks, "task_names", fake_names)


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
def test_the_messages_are_those_of_the_golden_file(file: Path) -> None:
    with pytest.raises(WorkflowError) as caught:
        resolve.load_plan(file.name, file.read_text(), Circumstances([], None, {"TOKEN": "abcdef"}, None, 4))
    found = f"{caught.value}\n"
    golden = file.with_suffix(".txt")
    if os.environ.get("BATCHWORK_GOLDEN") == "write":
        golden.write_text(found)
    assert found == golden.read_text()


@pytest.mark.parametrize("file", FILES, ids=lambda file: file.stem)
@pytest.mark.promise("2.14")
def test_every_message_has_file_line_and_column(file: Path) -> None:
    with pytest.raises(WorkflowError) as caught:
        resolve.load_plan(file.name, file.read_text(), Circumstances([], None, {}, None, 4, lenient=True))
    for problem in caught.value.problems:
        assert problem.place.file == file.name
        assert problem.place.line > 0
        assert problem.place.column > 0
