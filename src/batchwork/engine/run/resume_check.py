"""With which plan a run goes on: the workflow's file as it is now, if it does the same, else what is stored; or a refusal."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final, Protocol

from msgspec.structs import replace

from batchwork.censor import Censor, put_back
from batchwork.engine.run.changes import differences, listed
from batchwork.engine.run.kept_options import Kept, kept_from
from batchwork.engine.run.request import Backends, RunRequest
from batchwork.errors import RunRefused, WorkflowError
from batchwork.events import Warned
from batchwork.model import RunRecord
from batchwork.plan.model import Plan
from batchwork.ports import RunChange
from batchwork.text.jsontext import Json, decode, encode

LOST: Final = "the parameter `{}` holds a password, which is not stored"


class Loader(Protocol):
    """Makes a plan of a workflow's text and typed parameters. Raises WorkflowError."""

    def __call__(self, text: str, file: str, params: Mapping[str, Json]) -> Plan: ...


def current_plan(
    record: RunRecord, load: Loader, backends: Backends, request: RunRequest, keep: bool = True
) -> tuple[Plan, RunRecord]:
    """The plan to go on with, and the run's record with it. With `keep`, a changed workflow is recorded.

    Limits, retries, timeouts and names may have changed in the file. Raises RunRefused with the difference where it now
    does something else, unless changes are accepted.
    """
    kept = kept_from(record)
    plan = _loaded(record, kept, load, backends, request)
    censor = Censor(plan.secrets, backends.environ)
    fingerprint = censor.text(encode(plan.fingerprint))
    was, now = decode(censor.text(record.fingerprint)), decode(fingerprint)  # early runs kept it as it was
    assert isinstance(was, dict)
    assert isinstance(now, dict)
    changed = differences(was, now)
    if changed and not request.accept_changes:
        raise RunRefused(
            f"the workflow of run {record.id} has changed, and does something else now:{listed(changed)}",
            "`--accept-changes` goes on with the changed workflow and keeps what is done; else undo the change in "
            f"{record.file} (or in the code it uses)",
        )
    workflow, lost = censor.workflow(plan.text)
    if keep and (workflow, fingerprint) != (record.workflow, record.fingerprint):
        options = replace(kept, secrets=plan.secrets, lost_text=lost).text()
        backends.store.update_run(record.id, RunChange(workflow=workflow, fingerprint=fingerprint, options=options))
        record = replace(record, workflow=workflow, fingerprint=fingerprint, options=options)
    return plan, record


def _loaded(record: RunRecord, kept: Kept, load: Loader, backends: Backends, request: RunRequest) -> Plan:
    params = _params(record, kept, backends)
    text = _read(os.path.join(backends.cwd, record.file))
    if text is not None:
        if Censor(kept.secrets, backends.environ).workflow(text)[0] == record.workflow:
            return load(text, record.file, params)
        try:
            return load(text, record.file, params)
        except WorkflowError as error:
            if request.accept_changes or kept.lost_text:
                raise
            first = str(error.problems[0]) if error.problems else ""
            backends.sink.emit(
                Warned(f"{record.file} cannot be used as it is now, so the stored workflow is used: {first}")
            )
    if kept.lost_text:
        raise RunRefused(
            f"the workflow of run {record.id} holds a password, which is not stored, and {record.file} is not there",
            "put the file back, or be in the folder where the run was started",
        )
    stored = put_back(record.workflow, kept.secrets, backends.environ)
    assert isinstance(stored, str)
    return load(stored, record.file, params)


def _params(record: RunRecord, kept: Kept, backends: Backends) -> Mapping[str, Json]:
    if kept.lost_params:
        raise RunRefused(
            f"run {record.id} cannot be resumed: {LOST.format(kept.lost_params[0])}",
            "start a new run, and pass passwords in by `secrets:` and `{{ env.NAME }}`, which a resume can do again",
        )
    params = put_back(decode(record.params), kept.secrets, backends.environ)
    assert isinstance(params, dict)
    return params


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        return None
