"""With which plan a run goes on: the workflow's file as it is now, if it does the same, else what is stored; or a refusal."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Final, Protocol

from msgspec.structs import replace

from batchwork.censor import Censor, put_back
from batchwork.engine.run.changes import differences, shown
from batchwork.engine.run.kept_options import Kept
from batchwork.engine.run.request import Asked, Site
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
    record: RunRecord, kept: Kept, load: Loader, site: Site, asked: Asked, keep: bool = True
) -> tuple[Plan, RunRecord, Kept]:
    """The plan to go on with, and the run's record with it. With `keep`, a changed workflow is recorded.

    Limits, retries, timeouts and names may have changed in the file. Raises RunRefused with the difference where it now
    does something else, unless changes are accepted.
    """
    plan = _loaded(record, kept, load, site, asked)
    censor = Censor(plan.secrets, site.environ)
    fingerprint = censor.text(encode(plan.fingerprint))
    was, now = decode(censor.text(record.fingerprint)), decode(fingerprint)  # early runs kept it as it was
    assert isinstance(was, dict)
    assert isinstance(now, dict)
    changed = differences(was, now)
    if changed and not asked.accept_changes:
        raise RunRefused(
            f"the workflow of run {record.id} has changed, and does something else now:{shown(changed)}",
            "`--accept-changes` goes on with the changed workflow and keeps what is done; else undo the change in "
            f"{record.file} (or in the code it uses)",
        )
    workflow, lost = censor.workflow(plan.text)
    if keep and (workflow, fingerprint) != (record.workflow, record.fingerprint):
        kept = replace(kept, secrets=plan.secrets, lost_text=lost)
        options = kept.text()
        site.store.update_run(record.id, RunChange(workflow=workflow, fingerprint=fingerprint, options=options))
        record = replace(record, workflow=workflow, fingerprint=fingerprint, options=options)
    return plan, record, kept


def _loaded(record: RunRecord, kept: Kept, load: Loader, site: Site, asked: Asked) -> Plan:
    params = _params(record, kept, site)
    text = _read(os.path.join(site.cwd, record.file))
    if text is not None and Censor(kept.secrets, site.environ).workflow(text)[0] == record.workflow:
        return load(text, record.file, params)
    if text is not None:
        try:
            return load(text, record.file, params)
        except WorkflowError as error:
            if asked.accept_changes or kept.lost_text:
                raise
            first = str(error.problems[0]) if error.problems else ""
            site.sink.emit(
                Warned(f"{record.file} cannot be used as it is now, so the stored workflow is used: {first}")
            )
    if kept.lost_text:
        raise RunRefused(
            f"the workflow of run {record.id} holds a password, which is not stored, and {record.file} is not there",
            "put the file back, or be in the folder where the run was started",
        )
    stored = put_back(record.workflow, kept.secrets, site.environ)
    assert isinstance(stored, str)
    return load(stored, record.file, params)


def _params(record: RunRecord, kept: Kept, site: Site) -> Mapping[str, Json]:
    if kept.lost_params:
        raise RunRefused(
            f"run {record.id} cannot be resumed: {LOST.format(kept.lost_params[0])}",
            "start a new run, and pass passwords in by `secrets:` and `{{ env.NAME }}`, which a resume can do again",
        )
    params = put_back(decode(record.params), kept.secrets, site.environ)
    assert isinstance(params, dict)
    return params


def _read(path: str) -> str | None:
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        return None
