"""Which columns a table has, and what of each unit stands in them: by the rule, by name, joined with the source. Nothing is written.

`index`, `key`, `status`, then the fields of the results by their names, `result.NAME` where a name is taken, `result` for
results that are no mappings. Joined: the fields of the items, those of the results, `_status`, `_error`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final

from msgspec import Struct, field

from batchwork.errors import OutputError
from batchwork.export.fields import DEEPEST, Fields, Steps, fields_of, free_name, misfit, steps_of, taken
from batchwork.export.pages import Getter, Page, Unfit, values_of
from batchwork.export.rows import UnitRows
from batchwork.text.jsontext import Json
from batchwork.text.jsontexts import as_list, value_of
from batchwork.text.wording import short

LEAD: Final = ("index", "key", "status")
STATUS, ERROR = "_status", "_error"


class TableSpec(Struct, frozen=True):
    """What a table is to have. `batches`: units are batches; `objects`: rows are JSON objects, which hold anything.

    `reads_items`: somebody else asks for the items, too.
    """

    columns: Mapping[str, Getter] | None = None
    join: bool = False
    batches: bool = False
    objects: bool = False
    reads_items: bool = False
    constants: Mapping[str, object] = field(default_factory=dict)

    @property
    def wants_items(self) -> bool:
        return self.join or self.reads_items or self._uses("item")

    @property
    def wants_failures(self) -> bool:
        return self.wants_items or self._uses("error")

    def _uses(self, name: str) -> bool:
        return any(name in getter.roots for getter in (self.columns or {}).values())


def page_of(rows: UnitRows, spec: TableSpec) -> Page:
    """The values of rows; with `join` a row for each member of a batch. Raises Unfit."""
    page = Page(rows, _values(rows.results), _items(rows) if spec.wants_items else [None] * len(rows))
    return _members(page) if spec.join and spec.batches else page


def _items(rows: UnitRows) -> list[Json]:
    """The items; none where a row could not be read, whose text is no item."""
    items = _values(rows.items)
    for at in filter(rows.is_bad, range(len(rows))):
        items[at] = None
    return items


def _values(texts: Sequence[str | None]) -> list[Json]:
    values = value_of(as_list(["null" if text is None else text for text in texts]))
    assert isinstance(values, list)
    return values


def _members(page: Page) -> Page:
    offsets, results, items = list[int](), list[Json](), list[Json]()
    for at, (members, result) in enumerate(zip(page.items, page.results, strict=True)):
        own = members if isinstance(members, list) else [members]
        if page.rows.statuses[at] != "succeeded":
            given: list[Json] = [None] * len(own)
        elif isinstance(result, list) and len(result) == len(own):
            given = result
        else:
            why = f"`join` needs a list with a result for each of the {len(own):,} items of the batch; it is {_shown(result)}"
            raise Unfit(at, "result", why)
        offsets += [at] * len(own)
        results += given
        items += own
    return Page(page.rows.pick(offsets), results, items)


def _shown(value: Json) -> str:
    if isinstance(value, list):
        return f"a list of {len(value):,}"
    return short(repr(value), 60)


Take = Callable[[Page], Sequence[Json]]


class Side(Struct, frozen=True):
    """The columns that come of items, or of results: those of the fields of mappings, and one for what is no mapping.

    `word` is "item" or "result", `of` gives its values, `rest` is the name of the column for what is no mapping, None without one.
    """

    word: str
    of: Callable[[Page], Sequence[Json]]
    fields: Fields
    names: Mapping[Steps, str]
    rest: str | None

    def columns(self) -> Iterator[tuple[str, Take]]:
        for steps, name in self.names.items():
            yield name, lambda page, steps=steps: taken(self.of(page), steps)  # type: ignore[misc]
        if self.rest is not None:
            yield self.rest, self._rest

    def _rest(self, page: Page) -> Sequence[Json]:
        if not self.fields:
            return self.of(page)
        return [None if isinstance(value, dict) else value for value in self.of(page)]

    def check(self, page: Page) -> None:
        """Raises Unfit where a value has something for which there is no column."""
        values = self.of(page)
        if self.fields and (wrong := misfit(values, self.fields)) is not None:
            raise Unfit(wrong[0], ".".join(wrong[1]), wrong[2])
        if self.rest is None:
            for at, value in enumerate(values):
                if value is not None and not isinstance(value, dict):
                    raise Unfit(at, self.word, f"{_shown(value)} is no mapping, as those before it are")

    def late(self, value: Json) -> Mapping[str, Json]:
        """What of a value has no column."""
        if value is None or (self.rest is not None and not (self.fields and isinstance(value, dict))):
            return {}
        if not isinstance(value, dict):
            return {self.word: value}
        return {name: value[name] for name in value if name not in self.fields}


class Layout:
    """The columns of a table. `sides` came of what there was in its first rows."""

    def __init__(self, columns: Sequence[tuple[str, Take]], sides: Sequence[Side]) -> None:
        self.names = [name for name, _ in columns]
        self._takes = [take for _, take in columns]
        self._sides = sides

    def columns(self, page: Page) -> list[Sequence[Json]]:
        """What stands in each column. Raises Unfit."""
        for side in self._sides:
            side.check(page)
        return [take(page) for take in self._takes]

    def objects(self, page: Page) -> Iterator[dict[str, Json]]:
        """Each row as a mapping; what has no column is in it all the same."""
        rows = zip(*(take(page) for take in self._takes), strict=True)
        for at, row in enumerate(rows):
            found = dict(zip(self.names, row, strict=True))
            for side in self._sides:
                for name, value in side.late(side.of(page)[at]).items():
                    found[free_name(name, found)] = value
            yield found


def layout_of(spec: TableSpec, sample: Page) -> Layout:
    """The columns of a table that begins with these rows. Raises OutputError."""
    columns: list[tuple[str, Take]] = [] if spec.join else _lead()
    sides = []
    if spec.join:
        sides.append(_side("item", lambda page: page.items, sample, set(), spec))
        _refuse_taken(sides[0])
        columns += sides[0].columns()
    if spec.columns is None:
        used = {name for name, _ in columns} | ({STATUS, ERROR} if spec.join else set())
        sides.append(_side("result", lambda page: page.results, sample, used, spec))
        columns += sides[-1].columns()
    else:
        named = [(name, _named(name, getter, spec.constants)) for name, getter in spec.columns.items()]
        columns = [(name, take) for name, take in columns if name not in spec.columns] + named
    if spec.join:
        columns += [(STATUS, lambda page: page.rows.statuses), (ERROR, _errors)]
    return Layout(columns, sides)


def _lead() -> list[tuple[str, Take]]:
    takes: tuple[Take, ...] = (
        lambda page: page.rows.indexes,
        lambda page: page.rows.keys,
        lambda page: page.rows.statuses,
    )
    return list(zip(LEAD, takes, strict=True))


def _side(word: str, of: Take, sample: Page, used: set[str], spec: TableSpec) -> Side:
    values = of(sample)
    fields = fields_of(values, 0 if spec.objects else DEEPEST)
    used, names = set(used), {}
    for steps in steps_of(fields):
        names[steps] = free_name(".".join(steps), used)
        used.add(names[steps])
    other = any(value is not None and not isinstance(value, dict) for value in values)
    rest = free_name(word, used) if other or not fields else None
    return Side(word, of, fields, names, rest)


def _refuse_taken(source: Side) -> None:
    for name in source.names.values():
        if name in (STATUS, ERROR):
            raise OutputError(
                f"the source has a column `{name}`, which `join` needs for itself", "rename it, or leave out `join`"
            )


def _errors(page: Page) -> list[Json]:
    failures = page.rows.failures
    return [None if failure is None else f"{failure.type}: {failure.message}" for failure in failures]


def _named(name: str, getter: Getter, constants: Mapping[str, object]) -> Take:
    def take(page: Page) -> list[Json]:
        try:
            return values_of(getter, page, constants)
        except Unfit as error:
            raise Unfit(error.offset, name, error.why, error.hint) from error

    return take
