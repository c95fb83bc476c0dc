"""Large results, a coordinator that is slow to take them, more than one node: memory stays bounded on both sides (R8)."""

from __future__ import annotations

from pathlib import Path

import psutil

from cluster.here import agents
from cluster.rig import Rig, eventually, finish

FLOW = """
name: large
steps:
  - name: work
    type: batch
    inputs:
      items: {from: range, stop: 60}
      max_parallel: 8
      task: {type: python, code: 'return "x" * (8 << 20)'}
"""
AGENT_MOST = 220 << 20
COORDINATOR_MOST = 450 << 20
"""All results together are 480 MiB, and nodes have made them long before they are taken."""


class Peak:
    """The most memory that processes have had, looked at again and again."""

    def __init__(self) -> None:
        self.most = 0

    def look(self, pids: list[int]) -> None:
        for pid in pids:
            try:
                self.most = max(self.most, psutil.Process(pid).memory_info().rss)
            except psutil.Error:
                continue


def test_memory_is_bounded_on_both_sides(tmp_path: Path) -> None:
    rig = Rig(tmp_path, "command:echo {1,2} >&2; exec {agent} --slots 4", 60, 0.0)
    (tmp_path / "flow.yaml").write_text(FLOW, encoding="utf-8")
    rig.environ = {"BATCHWORK_TESTING": "1", "BATCHWORK_FAULT": "item.exit_before_record:sleep300"}
    run = rig._popen("run", "flow.yaml", *rig._words)
    nodes, own = Peak(), Peak()
    eventually(lambda: len(agents(run)) == 2, "two nodes")
    pids = agents(run)

    def over() -> bool:
        nodes.look(pids)
        own.look([run.pid])
        return run.poll() is not None

    eventually(over, "the end")
    code, said = finish(run)
    assert code == 0, said
    assert "is gone" not in said
    assert nodes.most < AGENT_MOST
    assert own.most < COORDINATOR_MOST
