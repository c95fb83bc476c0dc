"""Finding the run that is meant in a store: by a person, or by `run … --resume`. Needed by those who only look, so it imports nothing that runs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Final

from batchwork.errors import RunRefused
from batchwork.model import RunRecord, RunStatus
from batchwork.ports import Store
from batchwork.text.spelling import suggest

if TYPE_CHECKING:
    from batchwork.plan.model import Plan

FINISHED: Final = frozenset({RunStatus.SUCCEEDED, RunStatus.PARTIAL})


def find_run(store: Store, run: str | None) -> RunRecord:
    """The run of that id, or the latest. Raises RunRefused."""
    if run is not None:
        record = store.run(run)
        if record is None:
            near = suggest(run, [known.id for known in store.runs()])
            raise RunRefused(
                f"there is no run `{run}` in {store.describe()}",
                " ".join(filter(None, (near, "`batchwork runs` lists them; `--store` looks elsewhere"))),
            )
        return record
    runs = store.runs()
    if not runs:
        raise RunRefused(
            f"there is no run in {store.describe()}",
            "`batchwork run WORKFLOW` starts one; be in the folder where it was started, or name its `--store`",
        )
    return runs[0]


def unfinished_run(runs: Iterable[RunRecord], plan: Plan, environ: Mapping[str, str]) -> str | None:
    """The first of `runs`, which come with the latest first, that is the plan's and has not finished."""
    from batchwork.engine.run.resume_check import other_params

    for record in runs:
        if record.name == plan.name and record.status not in FINISHED and not other_params(record, plan, environ):
            return record.id
    return None


def named_run(record: RunRecord | None, plan: Plan, environ: Mapping[str, str]) -> str | None:
    """The run of an id that was given, if there is one. Raises RunRefused where it is another's."""
    if record is None:
        return None
    if record.name != plan.name:
        raise RunRefused(
            f"run {record.id} is one of the workflow `{record.name}`, not of `{plan.name}`", "choose another `--run-id`"
        )
    from batchwork.engine.run.resume_check import listed, other_params

    lines = other_params(record, plan, environ)
    if lines:
        raise RunRefused(
            f"run {record.id} has other parameters:{listed(lines)}",
            f"choose another `--run-id`, or go on with its own parameters: `batchwork resume {record.id}`",
        )
    return record.id
