"""Running, resuming and retrying from the command line: the parts put together, the end of the run printed."""

from __future__ import annotations

import gc
from collections.abc import Callable
from contextlib import closing
from typing import Literal

from batchwork.cli.look import looking
from batchwork.compose import Watch, backends
from batchwork.engine.run.find_run import find_run
from batchwork.engine.run.request import Backends, RunEnd
from batchwork.engine.stopping.stop_level import Control
from batchwork.model import RunStatus
from batchwork.ports import Durability, Store
from batchwork.report import summarize, summary_json
from batchwork.text.jsontext import encode
from batchwork.view.streams import Stdout, note

BETWEEN_LOOKS = 20_000
"""New objects that may be part of a circle, after which Python looks for garbage: a run makes many, and few circles."""


def execute(
    where: str | None,
    durability: Durability,
    watch: Watch,
    work: Callable[[Backends, Control], RunEnd],
    *,
    purpose: Literal["run", "resume"] = "run",
) -> int:
    """Do a run's `work` in the store at `where`, and say how it ended. The exit code."""
    out = Stdout(lenient=True)
    with backends(where, durability, watch, out, purpose=purpose) as here, closing(here.store):
        _keep_what_is_loaded()
        try:
            end = work(here, Control(here.clock))
        finally:
            here.sink.close()
        _conclude(here.store, end, where, watch, out)
    return end.exit_code


def _keep_what_is_loaded() -> None:
    """What there is by now stays to the end: whoever looks for garbage passes it over."""
    gc.freeze()
    gc.set_threshold(BETWEEN_LOOKS)


def stored_durability(run: str | None, where: str | None) -> Durability:
    """What the run was started with; a resume changes nothing about it."""
    with looking(where) as store:
        return "fast" if find_run(store, run).durability == "fast" else "full"


def _conclude(store: Store, end: RunEnd, where: str | None, watch: Watch, out: Stdout) -> None:
    """The end of a run, on standard output."""
    record = store.run(end.run)
    assert record is not None
    steps = store.steps(end.run)
    summary = summarize(record, steps, store.samples(end.run))
    if watch.as_json:
        out.json(encode(summary_json(summary)))
    elif end.message.startswith("nothing to do"):
        note(end.message)
    elif not watch.quiet or end.status is not RunStatus.SUCCEEDED:
        from batchwork.cli.closing import closing_lines

        for line in closing_lines(summary, store, steps, where):
            out.line(line)
    out.flush()
