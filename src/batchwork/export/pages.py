"""Some rows with their values, and what templates give for them. Which columns there are is told elsewhere."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

from msgspec import Struct

from batchwork.errors import RenderError
from batchwork.export.rows import UnitRows
from batchwork.ports.recorded import ErrorView
from batchwork.template import Path, Template, Value, plain
from batchwork.text.jsontext import Json

ROW_NAMES: Final = frozenset({"index", "key", "status", "attempts", "result", "item", "error"})
"""Names that a template of a column has, beside those that are the same for all rows."""
_NOT_IN_ALL: Final = "`{{ result.NAME | default(none) }}` gives nothing where a row has no NAME"
_MISSING: Final[Any] = object()


class Getter(Protocol):
    """What stands in a column that is named: a template, or the field of a result."""

    @property
    def roots(self) -> frozenset[str]:
        """Names that it uses; without a result there is nothing in a column that uses `result`."""
        ...

    def render(self, scope: Mapping[str, object]) -> object: ...


class Unfit(Exception):
    """A value has no place in the table. `hint` says what to do, where that is not the same as for all others."""

    def __init__(self, offset: int, column: str, why: str, hint: str = "") -> None:
        super().__init__(why)
        self.offset, self.column, self.why, self.hint = offset, column, why, hint


class Page(Struct, frozen=True):
    """Some rows with their values."""

    rows: UnitRows
    results: Sequence[Json]
    items: Sequence[Json]


def picked(page: Page, offsets: list[int]) -> Page:
    """Some rows of a page."""
    if len(offsets) == len(page.rows):
        return page
    results, items = ([column[at] for at in offsets] for column in (page.results, page.items))
    return Page(page.rows.pick(offsets), results, items)


def scope_at(page: Page, at: int, constants: Mapping[str, object]) -> dict[str, object]:
    """The names of one row."""
    rows = page.rows
    failure = rows.failures[at]
    return {
        **constants,
        "index": rows.indexes[at],
        "key": rows.keys[at],
        "status": rows.statuses[at],
        "attempts": rows.attempts[at],
        "result": page.results[at],
        "item": page.items[at],
        "error": None if failure is None else ErrorView.of(failure, rows.attempts[at]),
    }


def values_of(getter: Getter, page: Page, constants: Mapping[str, object]) -> list[Json]:
    """What a template gives for each row; nothing where it uses a result or an item and there is none. Raises Unfit."""
    needs_result, needs_item = "result" in getter.roots, "item" in getter.roots
    found: list[Json] = _looked_up(_path_of(getter), page) or [_MISSING] * len(page.rows)
    for at, status in enumerate(page.rows.statuses):
        if (needs_result and status != "succeeded") or (needs_item and page.rows.is_bad(at)):
            found[at] = None
        elif found[at] is _MISSING:
            try:
                found[at] = _rendered(getter, scope_at(page, at, constants))
            except RenderError as error:
                raise Unfit(at, "", error.message, _NOT_IN_ALL) from error
    return found


def _rendered(getter: Getter, scope: Mapping[str, object]) -> Json:
    value = getter.render(scope)
    return value.message if isinstance(value, ErrorView) else plain(value)


def _path_of(getter: Getter) -> Path | None:
    """What it leads to, where it is a plain path such as `result.n`: most are, and need not be rendered."""
    template = getter.template if isinstance(getter, Value) else getter
    return template.path if isinstance(template, Template) else None


def _looked_up(path: Path | None, page: Page) -> list[Json] | None:
    """What stands there in each row; _MISSING where a template must say what is meant."""
    columns: Mapping[Any, Sequence[Json]] = {"result": page.results, "item": page.items, "key": page.rows.keys}
    if path is None or path[0] not in columns:
        return None
    found: list[Any] = list(columns[path[0]])
    for name in path[1:]:
        found = [value[name] if isinstance(value, dict) and name in value else _MISSING for value in found]
    return found
