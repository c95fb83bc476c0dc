"""What every node must have for a step, whether it has it, and what is said where none does (R7)."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from batchwork.errors import NodesGone, WorkerError
from batchwork.ports import Staffing
from batchwork.workers.nodes.agent.fitness import Lacking, check
from batchwork.workers.nodes.hub.members import Node
from batchwork.workers.nodes.net.wire import Begin
from batchwork.workers.nodes.step.crew import GATHER_S, Crew, Member
from batchwork.workers.nodes.step.needed import needed, sources

TREE = {
    "top.py": "import json, other\nfrom pack import inside\nimport nowhere",
    "other.py": "x = 1",
    "unused.py": "x = 1",
    "pack/__init__.py": "from . import first",
    "pack/first.py": "from .second import thing",
    "pack/second.py": "from ..broken import y",
    "pack/inside.py": "import pack.deep.down",
    "pack/deep/__init__.py": "",
    "pack/deep/down.py": "from .. import first\nfrom ...far import x",
    "broken.py": "this is no Python",
    "circle_a.py": "import circle_b",
    "circle_b.py": "import circle_a",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name, text in TREE.items():
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
    return tmp_path


PACK = {"pack/__init__.py", "pack/first.py", "pack/second.py"}
IMPORTED: list[tuple[dict[str, Any], set[str]]] = [
    ({"function": "other:run"}, {"other.py"}),
    (
        {"function": "top:a.b"},
        {"top.py", "other.py", "pack/inside.py", "pack/deep/__init__.py", "pack/deep/down.py", *PACK},
    ),
    ({"function": "pack.second:f"}, PACK),
    ({"function": "circle_a:f"}, {"circle_a.py", "circle_b.py"}),
    ({"function": "os:getcwd"}, set()),
    ({"function": "..:x"}, set()),
    ({"code": "import other\nreturn 1", "setup": "from circle_a import x"}, {"other.py", "circle_a.py", "circle_b.py"}),
    ({"code": "if item:\n    from broken import x\n"}, {"broken.py"}),
    ({"code": "not Python at all"}, set()),
    ({"kind": "shell", "argv": ["x"]}, set()),
]


@pytest.mark.parametrize(("prepare", "files"), IMPORTED, ids=[str(prepare)[:50] for prepare, _ in IMPORTED])
def test_the_files_of_a_program_are_those_that_it_imports_from_the_folders_of_the_workflow(
    folder: Path, prepare: dict[str, Any], files: set[str]
):
    found = {str(Path(file).relative_to(folder)) for file in sources(prepare, [str(folder / "none"), str(folder)])}
    assert found == files


def begin(folder: Path, **prepare: Any) -> Begin:
    staffing = Staffing(1, None, "", {}, str(folder))
    return Begin("python", "{}", staffing, [], needed({"path": [str(folder)], **prepare}), 1)


def test_a_node_with_the_same_files_is_fit(folder: Path):
    check(begin(folder, function="top:f", interpreter="/usr/bin/env"))


def test_a_file_that_holds_something_else_is_named(folder: Path):
    told = begin(folder, function="top:f")
    (folder / "other.py").write_text("x = 2", encoding="utf-8")
    (folder / "unused.py").write_text("x = 2", encoding="utf-8")
    with pytest.raises(Lacking, match=f"^{folder}/other.py holds something else here$"):
        check(told)


def test_what_is_not_there_is_named(folder: Path):
    told = begin(folder, function="top:f", interpreter=str(folder / "python"))
    (folder / "other.py").unlink()
    with pytest.raises(Lacking) as raised:
        check(told)
    assert raised.value.message == f"there is no {folder}/python, {folder}/other.py here"
    assert "the same absolute paths" in raised.value.hint


def test_a_working_folder_that_is_not_there_is_named(tmp_path: Path):
    told = Begin("reactor", "{}", Staffing(1, None, "", {}, str(tmp_path / "gone")), [], [], 1)
    with pytest.raises(Lacking, match=r"there is no .*gone here"):
        check(told)


def member(number: int, trouble: str = "", *, lacking: bool = False) -> Member:
    made = Member(Node(number, "alpha", 1, 1))
    if trouble:
        made.trouble, made.lacking = WorkerError(trouble, "a hint"), lacking
    return made


def crew(*members: Member) -> Crew:
    made = Crew()
    made.members = {member.node.number: member for member in members}
    return made


def test_of_many_nodes_that_lack_the_same_one_sentence_is_said():
    there = crew(*[member(number, "there is no /x here", lacking=True) for number in (1, 2, 3)])
    assert there.trouble(10.0) is None, "another one may come"
    assert there.unfit() == ""
    trouble = there.trouble(10.0 + GATHER_S)
    assert isinstance(trouble, NodesGone)
    assert trouble.message == "no node can do this step: there is no /x here (on alpha/1, alpha/2, alpha/3)"


def test_workers_that_cannot_be_prepared_anywhere_fail_the_step():
    there = crew(member(1, "no module x"), member(2, "there is no /x here", lacking=True))
    there.trouble(0.0)
    assert type(there.trouble(GATHER_S)) is WorkerError


def test_a_node_that_comes_in_time_makes_the_others_a_warning_said_once():
    there = crew(member(1, "there is no /x here", lacking=True))
    there.trouble(0.0)
    there.members[2] = member(2)
    assert there.trouble(GATHER_S) is None
    assert there.unfit() == "", "it is not known yet whether it is fit"
    there.members[2].fit = True
    assert there.unfit() == "there is no /x here (on alpha/1)"
    assert there.unfit() == ""
    del there.members[2]
    assert there.trouble(10 * GATHER_S) is None, "it is waited again"
