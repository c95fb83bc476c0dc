"""Credentials that parameters and the environment bring in, by way of `auth`, headers and URLs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from batchwork.errors import RenderError, WorkflowError
from batchwork.plan.model import ItemsPlan, StepPlan, TaskPlan
from batchwork.ports import FieldValue
from batchwork.secrets import url_passwords
from batchwork.template import Value, text_of
from batchwork.text.credentials import credentials_of, is_credential_header, is_secret_of_auth
from batchwork.text.jsontext import Json, encode


def given_credentials(
    steps: Iterable[StepPlan], params: Mapping[str, Json], env: Mapping[str, Value], environ: Mapping[str, str]
) -> Iterator[str]:
    """Those that parameters and the environment bring in: what `auth` and headers say of them before any item is known."""
    yield from url_passwords([encode(value) for value in params.values() if value is not None])
    scope: dict[str, object] = {**params, "params": params, "args": params, "env": dict(environ)}
    scope["env"] = {**environ, **{name: text_of(_rendered(value, scope) or "") for name, value in env.items()}}
    for step in steps:
        for task in _tasks(step):
            yield from _of_task(task.fields, scope)
        if step.batch is not None:
            yield from _of_items(step.batch.items, scope)


def _of_items(items: ItemsPlan, scope: Mapping[str, object]) -> Iterator[str]:
    yield from _of_task(items.fields, scope)
    for part in items.parts.values():
        yield from _of_items(part, scope)


def _tasks(step: StepPlan) -> Iterator[TaskPlan]:
    yield step.task
    if isinstance(step.on_error, TaskPlan):
        yield step.on_error
    if step.batch is not None and step.batch.on_item_error is not None:
        yield step.batch.on_item_error


def _of_task(fields: Mapping[str, FieldValue], scope: Mapping[str, object]) -> Iterator[str]:
    headers, auth = (_known(getattr(fields.get(name), "json", None), scope) for name in ("headers", "auth"))
    if isinstance(headers, Mapping):
        for name, value in headers.items():
            if is_credential_header(str(name)):
                for text in _texts(value):
                    yield from credentials_of(str(name), text)
    for value in _secret_parts(auth):
        yield from _texts(value)


def _secret_parts(auth: object) -> Sequence[object]:
    """Of `auth` what is no username."""
    if isinstance(auth, Mapping):
        return [value for name, value in auth.items() if is_secret_of_auth(str(name))]
    return auth[1:] if isinstance(auth, list) else []


def _known(json: object, scope: Mapping[str, object]) -> object:
    """What is written with its templates rendered; None in place of those that need what is not known yet."""
    if isinstance(json, Mapping):
        return {name: _known(value, scope) for name, value in json.items()}
    if isinstance(json, list):
        return [_known(value, scope) for value in json]
    if not isinstance(json, str) or "{{" not in json:
        return json
    try:
        return _rendered(Value.of(json), scope)
    except WorkflowError:  # it has been said
        return None


def _rendered(value: Value, scope: Mapping[str, object]) -> object:
    """None where it needs what is not known yet."""
    if not value.roots <= scope.keys():
        return None
    try:
        return value.render(scope)
    except RenderError:
        return None


def _texts(value: object) -> Iterator[str]:
    for part in value if isinstance(value, list) else [value]:
        if part is not None and not isinstance(part, (Mapping, bool)) and (text := text_of(part)):
            yield text
