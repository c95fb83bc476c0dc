"""A step's items opened: the fields of their source rendered, the sources inside of it opened, and what narrows it. Nothing is read here."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from msgspec import Struct

from batchwork.engine.unit.brief import StepBrief
from batchwork.errors import RenderError, SourceError
from batchwork.items.fields import open_source
from batchwork.items.literal import open_value
from batchwork.items.narrowing import NarrowedItems, Narrowing
from batchwork.plan.model import ItemsPlan
from batchwork.plugins import find_source
from batchwork.ports import WORKFLOW_DIR, ItemSource
from batchwork.template import Value

_FIXED: Final = frozenset({"item", "params", "args", "run"})
"""Names of which one run has the same values for as long as it lives."""


class Around(Struct, frozen=True):
    """What a source is opened with: the names that are the same for every unit, and where its commands run."""

    scope: Mapping[str, object]
    cwd: str
    environ: Mapping[str, str]


def open_items(items: ItemsPlan, order: StepBrief) -> ItemSource:
    """The source of a batch step, its fields rendered. Raises SourceError."""
    setting = order.setting
    environ = {**setting.environ, "BATCHWORK_COOKIE": order.cookie, WORKFLOW_DIR: setting.workflow_dir}
    return open_around(items, Around(order.scope, setting.cwd, environ))


def open_around(items: ItemsPlan, around: Around) -> ItemSource:
    """The same. Raises SourceError."""
    try:
        if items.value is not None:
            return open_value(items.value.render(around.scope))
        fields: dict[str, Any] = {name: value.render(around.scope) for name, value in items.fields.items()}
        fields |= _nested(items, fields, around)
        source = open_source(items.source, fields, around.cwd, around.environ)
        return NarrowedItems(source, _narrowing(items.narrowing, around)) if items.narrowing else source
    except RenderError as error:
        raise SourceError(f"items: {error.message}", error.hint) from error


def _nested(items: ItemsPlan, fields: Mapping[str, Any], around: Around) -> dict[str, Any]:
    """The sources inside of it by name: as they are written, or those that a template gives."""
    name = find_source(items.source).nested
    if not name:
        return {}
    if items.parts:
        return {name: {part: open_around(plan, around) for part, plan in items.parts.items()}}
    given = fields.get(name)
    if isinstance(given, dict) and given:
        return {name: {part: open_value(value) for part, value in given.items()}}
    raise SourceError(f"items: `{name}` of `from: {items.source}` must give a mapping of lists that is not empty")


def _narrowing(written: Mapping[str, Value], around: Around) -> Narrowing:
    skip, limit = (_count(name, written, around) for name in ("skip", "limit"))
    value = written.get("filter")
    if value is None or value.template is None:
        return Narrowing(skip=skip or 0, limit=limit)
    scope, render = dict(around.scope), value.template.render

    def keep(item: object) -> object:
        scope["item"] = item
        return render(scope)

    from batchwork.template.conditions import condition_of  # with a filter that needs it, Jinja2 is there already

    mark = value.template.source if value.roots <= _FIXED else ""
    return Narrowing(keep, mark, skip or 0, limit, condition_of(value.template, around.scope))


def _count(name: str, written: Mapping[str, Value], around: Around) -> int | None:
    count = written[name].render(around.scope) if name in written else None
    if count is None or (isinstance(count, int) and not isinstance(count, bool) and count >= 0):
        return count
    raise SourceError(f"items: `{name}` must be a whole number from 0, not {count!r}")
