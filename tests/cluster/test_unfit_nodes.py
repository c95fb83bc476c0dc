"""Machines that do not have what a step needs: refused before the first claim, one message for all of them (R7)."""

from __future__ import annotations

from pathlib import Path

import pytest

from cluster.here import LEASE
from cluster.hosts import needs_namespaces
from cluster.rig import Rig, finish

pytestmark = needs_namespaces
FLOW = """
name: functions
steps:
  - name: work
    type: batch
    inputs:
      items: {from: range, stop: 6}
      parallel: true
      task: {type: python, function: "mine:triple"}
"""


def rig_of(folder: Path, change: str) -> Rig:
    """Two nodes, each with a view of the disk of its own, in which `change` was done before."""
    rig = Rig(
        folder, f"command:unshare -m sh -c 'echo {{1,2}} >&2; {change}; exec {{agent}} --slots 1'", 6, 0.0, *LEASE
    )
    (folder / "flow.yaml").write_text(FLOW, encoding="utf-8")
    (folder / "mine.py").write_text("from deeper import factor\n\ndef triple(item):\n    return item * factor\n")
    (folder / "deeper.py").write_text("factor = 3\n")
    (folder / "other.py").write_text("factor = 4\n")
    return rig


def start(rig: Rig) -> tuple[int, str]:
    run = rig._popen("run", "flow.yaml", *rig._words)
    return finish(run)


CHANGES = {
    "another file": ("mount --bind {0}/other.py {0}/deeper.py", "{0}/deeper.py holds something else here"),
    "no folder": ("mount -t tmpfs none {0}", "there is no {0}/deeper.py"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_nodes_that_differ_are_refused_in_one_message(tmp_path: Path, name: str) -> None:
    folder = tmp_path / "w"
    folder.mkdir()
    change, told = (text.format(folder) for text in CHANGES[name])
    if name == "no folder":
        change = f"cd /; mount -t tmpfs none {tmp_path}"
        told = f"there is no {folder}"
    rig = rig_of(folder, change)
    code, said = start(rig)
    assert code == 4, said
    assert said.count("no node can do this step") == 1 and said.count(told) == 1
    assert said.count("the same absolute paths") == 1 and "is not used" not in said
    assert not [item for item in rig.items() if item["status"] != "pending"]
    rig._words[1] = "command:exec {agent} --slots 1"
    code, said = finish(rig.resume())
    assert code == 0, said
    assert [item["result"] for item in rig.items()] == [0, 3, 6, 9, 12, 15]


def test_one_node_that_differs_is_not_used(tmp_path: Path) -> None:
    rig = rig_of(tmp_path, f"test {{1,2}} = 1 || mount --bind {tmp_path}/other.py {tmp_path}/deeper.py")
    rig._words[1] = rig._words[1].replace("echo {1,2} >&2; ", "")
    code, said = start(rig)
    assert code == 0, said
    assert [item["result"] for item in rig.items()] == [0, 3, 6, 9, 12, 15]
    assert said.count("nodes are not used") <= 1


def test_nodes_whose_clocks_say_something_else_are_fit(tmp_path: Path) -> None:
    """No two clocks are compared: these machines have been up for a day longer, and for ten."""
    clocks = "unshare -T --fork --boottime {86400,864000} --monotonic 86400"
    rig = Rig(tmp_path, f"command:{clocks} {{agent}} --slots 1", 20, 0.2, "--node-lease", "1s")
    code, said = finish(rig.start())
    assert code == 0, said
    assert "is gone" not in said
    assert [item["result"] for item in rig.items()] == [3 * number for number in range(20)]
    assert rig.never_two_at_once()
