"""Before anything of a dead execution is read or started anew: its processes have ended, every one of them."""

from __future__ import annotations

from collections.abc import Sequence
from threading import Event

from batchwork.clock import Clock
from batchwork.engine.run.kept_options import kept_from
from batchwork.engine.run.request import Backends
from batchwork.errors import RunRefused
from batchwork.events import Warned
from batchwork.model import RunRecord, RunStatus
from batchwork.ports.journals import ExecutionMark, Journals
from batchwork.proctree import kill_all, with_cookie

ALONE_S = 0.5
"""Workers end by themselves when their coordinator is gone, and note what ended meanwhile: so long they are left alone."""
KILLED_S = 5.0
"""How long what was killed may take to be gone."""
_LOOK_S = 0.01


def end_earlier(marks: Sequence[ExecutionMark], journals: Journals, clock: Clock) -> int:
    """End the processes of executions that died; how many had to be ended. Raises RunRefused where one does not end."""
    await_writers(marks, journals, clock, ALONE_S)
    count = sum(kill_all(lambda cookie=mark.id: with_cookie(cookie)) for mark in marks if mark.id)  # type: ignore[misc]
    if left := await_writers(marks, journals, clock, KILLED_S):
        pids = ", ".join(str(pid) for pid in left if pid) or "unknown"
        raise RunRefused(
            f"processes of an earlier execution of this run are still ending: {pids}",
            "they were killed, and the system has not let them go yet (a disk or a network that hangs); try again later",
        )
    return count


def await_nodes(record: RunRecord, backends: Backends) -> None:
    """Wait until no machine of an execution that died can be at work any more, where units are in doubt."""
    store, given_up_s = backends.store, kept_from(record).nodes.given_up_s
    if record.status is not RunStatus.RUNNING or not given_up_s:
        return
    if any(store.claims(step.number) for step in store.steps(record.id)):
        text = f"waiting {given_up_s:g} s: machines of the execution that died may go on for so long"
        backends.sink.emit(Warned(text))
        Event().wait(given_up_s)


def await_writers(marks: Sequence[ExecutionMark], journals: Journals, clock: Clock, longest_s: float) -> list[int]:
    """Wait until nobody can write into journals of these executions; the process ids of those that still can."""
    until, pause = clock.now() + longest_s, Event()
    while (left := journals.writers(marks)) and clock.now() < until:
        pause.wait(_LOOK_S)
    return left
