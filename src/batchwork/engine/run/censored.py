"""The gates of a run: what goes to its store and to its sinks passes its censor here, whoever writes or tells it; so does an error that ends it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, cast

from msgspec.structs import replace

from batchwork.censor import Censor
from batchwork.engine.run.request import WITHHELD, Backends, Nodes
from batchwork.errors import BatchworkError
from batchwork.events import Event
from batchwork.model import Checkpoint, RunRecord
from batchwork.ports import EventSink, RunChange, StepChange, Store
from batchwork.ports.store import Committed


def censored(backends: Backends, censor: Censor) -> Backends:
    """The same parts, the store and the sink behind the censor; as they are where there is nothing to hide."""
    if not censor.hides:
        return backends
    store = cast("Store", CensoredStore(backends.store, censor))  # what it does not censor is the store's own
    return replace(backends, store=store, sink=censored_sink(backends.sink, censor))


def censored_sink(sink: EventSink, censor: Censor) -> EventSink:
    """The sink behind the censor, if there is anything to hide."""
    return CensoredSink(sink, censor) if censor.hides else sink


@contextmanager
def censored_errors(censor: Censor) -> Iterator[None]:
    """Errors for people that come out of a run tell no secret: what other programs said may stand in them."""
    try:
        yield
    except BatchworkError as error:
        error.message, error.hint = censor.text(error.message), censor.text(error.hint)
        error.args = (error.message,)
        raise


class CensoredSink:
    """An EventSink before another one."""

    def __init__(self, sink: EventSink, censor: Censor) -> None:
        self._sink, self._censor = sink, censor
        self.close = sink.close

    def emit(self, event: Event) -> None:
        self._sink.emit(self._censor.event(event))


class CensoredStore:
    """A Store before another one: everything that is written of a run and its units is censored."""

    def __init__(self, store: Store, censor: Censor) -> None:
        self._store, self._censor = store, censor

    def __getattr__(self, name: str) -> Any:  # what only reads
        return getattr(self._store, name)

    def create_run(self, run: RunRecord, steps: Sequence[tuple[str, bool]]) -> None:
        self._store.create_run(self._censor.run(run), steps)

    def update_run(self, run: str, change: RunChange) -> None:
        self._store.update_run(run, self._censor.change(change))

    def update_step(self, step: int, change: StepChange) -> None:
        self._store.update_step(step, self._censor.change(change))

    def submit(self, checkpoint: Checkpoint, committed: Committed) -> None:
        self._store.submit(self._censor.checkpoint(checkpoint), committed)


def told_nodes(nodes: Nodes, censor: Censor) -> Nodes:
    """Where the work is done, without secrets."""
    told = nodes.executor == censor.text(nodes.executor) and "@" not in nodes.executor.partition("://")[2]
    return nodes if told else replace(nodes, executor=WITHHELD)
