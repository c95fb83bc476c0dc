"""Where the work of a run is done: on this machine, or on those that an executor finds; and what a resume must wait for then."""

from __future__ import annotations

from threading import Event

from msgspec.structs import replace

from batchwork.censor import Censor
from batchwork.engine.run.kept_options import kept_from
from batchwork.engine.run.request import Backends, Execution, Nodes
from batchwork.errors import UsageError
from batchwork.events import Warned
from batchwork.model import RunRecord, RunStatus

_HIDDEN = "***"


def on_nodes(execution: Execution, backends: Backends) -> Backends:
    """The parts with what starts workers where the work is to be done. Raises UsageError."""
    nodes = execution.nodes
    if nodes.executor == "local" or backends.on_nodes is None:
        return backends
    if _HIDDEN in nodes.executor:
        raise UsageError("the executor of this run was recorded without its secret", "give it again, with `--executor`")
    return replace(backends, executors=backends.on_nodes(nodes))


def told_nodes(nodes: Nodes, censor: Censor) -> Nodes:
    """The same without secrets, for the record."""
    return replace(nodes, executor=censor.text(nodes.executor))


def placed(execution: Execution) -> RunRecord:
    """The record, which says where the work is done."""
    kept = replace(kept_from(execution.record), nodes=told_nodes(execution.nodes, execution.censor))
    return replace(execution.record, options=kept.text())


def wait_for_nodes(execution: Execution, backends: Backends) -> None:
    """Wait until no machine of an execution that died can be at work any more, where units are in doubt."""
    store, record = backends.store, execution.record
    given_up_s = kept_from(record).nodes.given_up_s
    if record.status is not RunStatus.RUNNING or not given_up_s:
        return
    if any(store.claims(step.number) for step in store.steps(record.id)):
        text = f"waiting {given_up_s:g} s: machines of the execution that died may go on for so long"
        backends.sink.emit(Warned(text))
        Event().wait(given_up_s)
