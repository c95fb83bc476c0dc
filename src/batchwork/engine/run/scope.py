"""The names that are the same for every unit of a step: params, env, run, earlier steps and their outputs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence

from msgspec import Struct
from msgspec.structs import replace

from batchwork.engine.run.results import Results
from batchwork.errors import RenderError
from batchwork.model import RunStatus, StepRecord, StepStatus
from batchwork.plan.knowns import ITEM_NAMES, UNIT_NAMES
from batchwork.plan.model import BatchPlan, Plan, StepPlan
from batchwork.ports import Setting, Store
from batchwork.ports.recorded import ErrorView
from batchwork.text.jsontext import decode


class RunView(Struct, frozen=True):
    """What `run` is before anything has run. `status` is there for finalizers only."""

    id: str
    name: str
    dir: str

    def names(self, status: RunStatus | None) -> dict[str, str]:
        names = {"id": self.id, "name": self.name, "dir": self.dir}
        return names if status is None else {**names, "status": status.value}


def run_folder(state_dir: str, run: str) -> str:
    """What `run.dir` is: a folder of the run's own, for whatever its tasks want to put there."""
    return os.path.join(state_dir, "runs", run)


def run_environ(plan: Plan, environ: Mapping[str, str], run: RunView) -> dict[str, str]:
    """The process's environment with the workflow's `env:` block rendered over it. Raises RenderError."""
    scope = {**plan.params, "params": plan.params, "args": plan.params, "env": environ, "run": run.names(None)}
    rendered = {name: value.text(scope) for name, value in plan.env.items()}
    for name, text in rendered.items():
        if "\0" in text:
            raise RenderError(f"`{name}` under `env:` contains a NUL, which no environment variable can hold")
    return {**environ, **rendered}


class Names:
    """Builds scopes and settings for the steps of one run, from what has ended so far."""

    def __init__(self, plan: Plan, environ: Mapping[str, str], run: RunView, store: Store, cwd: str) -> None:
        self._plan, self._environ, self._run, self._store, self._cwd = plan, environ, run, store, cwd
        self._records: dict[str, StepRecord] = {}
        self._values: dict[str, object] = {}

    def ended(self, record: StepRecord) -> None:
        """A step has ended (or was stopped): its names have values from now on."""
        self._records[record.name] = record
        self._values[record.name] = self._value(record)

    def results(self, step: str) -> Results | None:
        """The results of a batch step that has ended."""
        value = self._values.get(step)
        return value if isinstance(value, Results) else None

    def scope(self, status: RunStatus | None = None) -> dict[str, object]:
        """All constant names, as they are now. `status` is the run's, for finalizers."""
        params = dict(self._plan.params)
        steps = {step.name: self._view(step.name) for step in self._plan.steps}
        outputs = {step.outputs: self._values.get(step.name) for step in self._plan.steps if step.outputs}
        return {
            **params,
            **outputs,
            "params": params,
            "args": params,
            "env": self._environ,
            "steps": steps,
            "run": self._run.names(status),
        }

    def setting(self, step: StepPlan, scope: Mapping[str, object], extra: Sequence[str] = ()) -> Setting:
        """What the step's task may know when it is made ready. `extra` are further names of its unit."""
        names = UNIT_NAMES if step.batch is None else ITEM_NAMES
        if step.batch is not None and step.batch.arg_name is not None:
            names |= {step.batch.arg_name}
        return Setting(
            step=step.name,
            constants=scope,
            unit_names=names.union(extra),
            environ=self._environ,
            workflow_dir=self._plan.folder,
            cwd=self._cwd,
            timeout_s=step.timeout_s,
            secrets=self._plan.secrets,
        )

    def _value(self, record: StepRecord) -> object:
        if record.batch:
            return Results(self._store, record.number, record.name, record.counts, record.duration_ms / 1000)
        return decode(record.result) if record.result is not None else None

    def _view(self, name: str) -> dict[str, object]:
        record = self._records.get(name)
        if record is None:
            return {"result": None, "status": StepStatus.PENDING.value, "error": None}
        error = None if record.failure is None else ErrorView.of(record.failure, self._attempts(record))
        view = {"result": self._values[name], "status": record.status.value, "error": error}
        if record.batch:
            view["aggregate"] = {} if record.result is None else decode(record.result)
        return view

    def _attempts(self, record: StepRecord) -> int:
        if record.batch:
            return 1
        units = self._store.units(record.number, limit=1)
        return units[0].record.attempts if units else 1


def lowered(step: StepPlan, max_parallel: int | None) -> StepPlan:
    """The step with no more attempts at once than `max_parallel`."""
    batch: BatchPlan | None = step.batch
    if batch is None or max_parallel is None:
        return step
    slots, room = min(batch.slots, max_parallel), min(batch.room, max_parallel)
    return replace(step, batch=replace(batch, slots=slots, room=room))
