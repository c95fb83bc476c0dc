"""With which plan a run goes on: the workflow's file as it is now, if it does the same, else what is stored; or a refusal."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from typing import Final, Protocol

from msgspec.structs import replace

from batchwork.censor import Censor, put_back
from batchwork.engine.run.kept_options import Kept, kept_from
from batchwork.engine.run.request import Backends, RunRequest
from batchwork.errors import RunRefused, WorkflowError
from batchwork.events import Warned
from batchwork.model import RunRecord
from batchwork.plan.credentials.written import credentials_in
from batchwork.plan.model import Plan
from batchwork.ports import RunChange
from batchwork.text.jsontext import Json, decode, encode
from batchwork.text.wording import short, visible

LOST: Final = "the parameter `{}` holds a password, which is not stored"
SHOWN: Final = 20
_WIDTH: Final = 160


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
    # What stood in the file before may have been another credential; early runs kept it as it was.
    further = [*plan.credentials, *credentials_in(record.workflow)]
    censor = Censor(plan.secrets, backends.environ, further)
    _insist_on_defaults(record, kept, plan, censor)
    fingerprint = censor.text(encode(plan.fingerprint))
    was, now = decode(censor.text(record.fingerprint)), decode(fingerprint)
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
        try:
            return load(text, record.file, params)
        except WorkflowError as error:
            if _is_stored(text, record, kept, backends.environ) or request.accept_changes or kept.lost_text:
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


def _is_stored(text: str, record: RunRecord, kept: Kept, environ: Mapping[str, str]) -> bool:
    """Whether this is the workflow that is stored, as far as that is known without its plan."""
    return Censor(kept.secrets, environ, credentials_in(text)).workflow(text)[0] == record.workflow


def _params(record: RunRecord, kept: Kept, backends: Backends) -> Mapping[str, Json]:
    """The parameters as they were, without those that lost a password which the workflow's file still has."""
    lost = [name for name in kept.lost_params if name not in kept.defaulted]
    if lost:
        raise RunRefused(
            f"run {record.id} cannot be resumed: {LOST.format(lost[0])}",
            "start a new run, and pass passwords in by `secrets:` and `{{ env.NAME }}`, which a resume can do again",
        )
    params = put_back(decode(record.params), kept.secrets, backends.environ)
    assert isinstance(params, dict)
    return {name: value for name, value in params.items() if name not in kept.defaulted}


def _insist_on_defaults(record: RunRecord, kept: Kept, plan: Plan, censor: Censor) -> None:
    """A default with a password comes from the file again: but for the password it must be what it was. Raises RunRefused."""
    was = decode(record.params)
    assert isinstance(was, dict)
    now, _ = censor.params({name: plan.params.get(name) for name in kept.defaulted})
    changed = list(inside({name: was.get(name) for name in kept.defaulted}, now))
    if changed:
        raise RunRefused(
            f"run {record.id} cannot be resumed: the default of a parameter is another one now:{listed(changed)}",
            f"undo the change in {record.file}, or start a new run",
        )


def _read(path: str) -> str | None:
    if not os.path.isfile(path):  # a pipe, such as <(generate), has had its say
        return None
    try:
        with open(path, encoding="utf-8", newline="") as file:
            return file.read()
    except (OSError, UnicodeDecodeError):
        return None


def other_params(record: RunRecord, plan: Plan, environ: Mapping[str, str]) -> list[str]:
    """One line for each parameter of the run that is another in the plan; both as they are stored, without secrets."""
    censor, was = Censor(plan.secrets, environ, plan.credentials), decode(record.params)
    assert isinstance(was, dict)
    return [f"parameter {line}" for line in inside(censor.params(was)[0], censor.params(plan.params)[0])]


# ---------------------------------------------------------------- what differs between two fingerprints


def differences(old: Mapping[str, Json], new: Mapping[str, Json]) -> list[str]:
    """One line for each difference in what is done: steps that came, went, moved, or do something else now."""
    lines = [f"step `{name}` is gone" for name in _only(old, new)]
    lines += [f"step `{name}` is new" for name in _only(new, old)]
    both = _common(old, new)
    if both != _common(new, old):
        lines.append(f"the order of the steps was {_named(old)} and is {_named(new)}")
    for name in both:
        lines += [f"step `{name}`: {line}" for line in inside(old[name], new[name])]
    return lines


def listed(lines: list[str]) -> str:
    """The lines as the end of a message: one under the other, not too many."""
    more = [f"… and {len(lines) - SHOWN} more"] if len(lines) > SHOWN else []
    return "".join(f"\n  {line}" for line in lines[:SHOWN] + more)


def inside(old: Json, new: Json, path: str = "") -> Iterator[str]:
    """One line for each part that differs."""
    if old == new and type(old) is type(new):
        return
    if isinstance(old, dict) and isinstance(new, dict):
        yield from _in_mapping(old, new, path)
    else:
        yield f"`{path or 'it'}` was {_value(old)} and is {_value(new)}"


def _in_mapping(old: Mapping[str, Json], new: Mapping[str, Json], path: str) -> Iterator[str]:
    for key in [*old, *_only(new, old)]:
        below = f"{path}.{key}" if path else key
        if key not in new:
            yield f"`{below}` is gone, it was {_value(old[key])}"
        elif key not in old:
            yield f"`{below}` is new: {_value(new[key])}"
        else:
            yield from inside(old[key], new[key], below)


def _only(names: Mapping[str, Json], others: Mapping[str, Json]) -> list[str]:
    return [name for name in names if name not in others]


def _common(names: Mapping[str, Json], others: Mapping[str, Json]) -> list[str]:
    return [name for name in names if name in others]


def _value(value: Json) -> str:
    return short(visible(encode(value)), _WIDTH)


def _named(names: Mapping[str, Json]) -> str:
    return ", ".join(f"`{name}`" for name in names)
