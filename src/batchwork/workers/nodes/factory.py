"""Which executor a step of a run on nodes gets: one on the nodes, or one here, and then why."""

from __future__ import annotations

from typing import Final

from batchwork.clock import Clock
from batchwork.ports import Executor, ExecutorFactory, Pager, Program, Staffing
from batchwork.workers.local import local_executors
from batchwork.workers.nodes.muster import Muster
from batchwork.workers.nodes.step.executor import NodesExecutor

_WIDE: Final = {"python": False, "reactor": True}
"""Kinds of workers that work on nodes, and whether one runs many units at once."""


def why_here(worker: str, stays: str) -> str:
    """Why work for this kind of worker is done on this machine; empty where it is done on nodes."""
    return stays or ("" if worker in _WIDE else "it starts no process")


def node_executors(muster: Muster, clock: Clock) -> ExecutorFactory:
    """A factory that makes and starts executors on the nodes, which are launched for the first of them. It raises WorkerError."""
    here = local_executors(clock)

    def make(program: Program, staffing: Staffing, pages: Pager | None = None) -> Executor:
        if why_here(program.worker, staffing.elsewhere.stays):
            return here(program, staffing, pages)
        muster.launch()
        executor = NodesExecutor(muster, clock, wide=_WIDE[program.worker])
        executor.start(program, staffing, pages)
        return executor

    return make
