"""What `results` writes: the table for people, the plain lines of JSON, or a table with columns, to a file or standard output."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import chain
from typing import IO, Final, cast

from msgspec import Struct
from msgspec.structs import replace

from batchwork.cli.failures import error_line
from batchwork.cli.look import readable
from batchwork.cli.where import holds
from batchwork.engine.run.choose_failed import compile_where
from batchwork.errors import UsageError, WorkflowError
from batchwork.export.layout import Layout, TableSpec
from batchwork.export.pages import ROW_NAMES, Getter, Page, scope_at
from batchwork.export.rows import RowReader
from batchwork.export.sink import Sink
from batchwork.export.table import Keep, LaidOut, laid_out, spec_for, write_rows, writer_of
from batchwork.export.target import target_of
from batchwork.export.texts import value_as_text
from batchwork.model import FileFormat, StepRecord
from batchwork.ports.store import Store
from batchwork.template import compile_template, is_template, unknown_names
from batchwork.text.jsontext import Json, encode
from batchwork.text.patterns import pattern
from batchwork.view.streams import Stdout
from batchwork.view.table import Column

COLUMNS = (Column("index", right=True), Column("key", least=16), Column("status"), Column("result", least=12))


class Export(Struct, frozen=True):
    """What was asked for: the format, where it goes (None: standard output), which rows and columns."""

    shape: str
    path: str | None
    join: bool = False
    where: str | None = None
    columns: Sequence[str] = ()

    @property
    def is_plain(self) -> bool:
        """Whether each row is index, key, status and the result as it is."""
        return self.shape in ("table", "jsonl") and not self.join and not self.columns


def write_results(store: Store, step: StepRecord, export: Export) -> int:
    """Write the results of a step, and say how many rows that were. Raises UsageError, OutputError, StoreError."""
    keep = _keep(export.where)
    spec = spec_for(export.shape, _spec(store, step, export))
    if keep is not None:
        spec = replace(spec, reads_items=True)
    table = laid_out(RowReader(store, step.number, items=spec.wants_items, failures=True).all(), spec, keep)
    counted = _Counted(table.pages)
    table = replace(table, pages=iter(counted))
    if export.path is None:
        out = Stdout()
        _show(export, table, out)
        out.flush()
        return counted.rows
    with Sink(target_of(export.path, "jsonl" if export.shape == "table" else export.shape)) as sink:
        _fill(export, table, sink.file)
        sink.commit()
    return counted.rows


class _Counted:
    """Pages that count their rows as they go by."""

    def __init__(self, pages: Iterator[Page]) -> None:
        self._pages = pages
        self.rows = 0

    def __iter__(self) -> Iterator[Page]:
        for page in self._pages:
            self.rows += len(page.rows)
            yield page


def _spec(store: Store, step: StepRecord, export: Export) -> TableSpec:
    if export.is_plain:
        return TableSpec({})
    columns = _getters(export.columns) if export.columns else None
    return TableSpec(columns, export.join, export.join and _has_batches(store, step))


def _has_batches(store: Store, step: StepRecord) -> bool:
    """Whether the units of a step are batches."""
    units = store.units(step.number, limit=1)
    return bool(units) and units[0].record.members is not None


# ---------------------------------------------------------------- which columns, which rows


class _FieldOf(Struct, frozen=True):
    """A field of a result, None where it has none."""

    name: str
    roots: frozenset[str] = frozenset({"result"})

    def render(self, scope: Mapping[str, object]) -> object:
        found = scope["result"]
        for name in [self.name] if isinstance(found, dict) and self.name in found else self.name.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        return found


_COLUMN: Final = pattern(r"(?s)(?:\{\{.*?\}\}|[^,])+")
"""What stands between two commas; those in `{{ … }}` are the template's."""


def _getters(words: Sequence[str]) -> dict[str, Getter]:
    """The columns that words like `a,b,c={{ … }}` name. Raises UsageError."""
    found: dict[str, Getter] = {}
    for word in filter(str.strip, chain.from_iterable(map(_COLUMN.findall, words))):
        name, has_text, text = (part.strip() for part in word.partition("="))
        if name in found:
            raise UsageError(f"--columns names `{name}` twice", "give one of them another name: `other={{ … }}`")
        if has_text and not is_template(text):
            hint = f"a template has braces: `{name}={{{{ {text or 'result.NAME'} }}}}`"
            raise UsageError(f"--columns {word.strip()!r}: there must be a template behind `=`", hint)
        found[name] = _template(text) if has_text else _FieldOf(name)
    return found


def _template(text: str) -> Getter:
    try:
        template = compile_template(text)
    except WorkflowError as error:
        raise UsageError(f"--columns {text!r}: {error.problems[0].message}") from None
    for problem in unknown_names(template, ROW_NAMES):
        raise UsageError(f"--columns {text!r}: {problem.message}", problem.hint)
    return template


def _keep(where: str | None) -> Keep | None:
    template = compile_where(where, ROW_NAMES)
    if template is None:
        return None

    def kept(page: Page) -> list[int]:
        return [at for at in range(len(page.rows)) if holds(template, scope_at(page, at, {}), page.rows.is_bad(at))]

    return kept


# ---------------------------------------------------------------- how it is written


def _show(export: Export, table: LaidOut, out: Stdout) -> None:
    """Write to standard output."""
    if export.shape == "table":
        out.table(_head(export, table.layout), _cells(export, table))
    elif export.is_plain:
        for line in _json_lines(table):
            out.json(line)
    elif export.shape == "parquet":
        raise UsageError("a Parquet file cannot go to standard output", "say where it goes: -o FILE.parquet")
    else:
        write_rows(table, writer_of(cast(FileFormat, export.shape), cast(IO[bytes], out)))


def _fill(export: Export, table: LaidOut, file: IO[bytes]) -> None:
    """Write to a file."""
    lines: Iterator[str]
    if export.shape == "table":
        lines = map("\t".join, _cells(export, table))
    elif export.is_plain:
        lines = _json_lines(table)
    else:
        write_rows(table, writer_of(cast(FileFormat, export.shape), file))
        return
    file.writelines(f"{line}\n".encode(errors="backslashreplace") for line in lines)


def _json_lines(table: LaidOut) -> Iterator[str]:
    """Results stand as they are stored, digit by digit."""
    for page in table.pages:
        rows = page.rows
        for index, key, status, result in zip(rows.indexes, rows.keys, rows.statuses, rows.results, strict=True):
            yield f'{{"index":{index},"key":{encode(key)},"status":"{status}","result":{result or "null"}}}'


def _head(export: Export, layout: Layout) -> Sequence[Column]:
    return COLUMNS if export.is_plain else [Column(name, least=8) for name in layout.names]


def _cells(export: Export, table: LaidOut) -> Iterator[Sequence[str]]:
    """The rows of a table for people."""
    for page in table.pages:
        rows = page.rows
        if export.is_plain:
            said = map(error_line, rows.failures)
            results = [error or readable(result) for error, result in zip(said, rows.results, strict=True)]
            yield from zip(map(str, rows.indexes), rows.keys, rows.statuses, results, strict=True)
        else:
            columns = table.layout.columns(page)
            yield from zip(*([_cell(value) for value in column] for column in columns), strict=True)


def _cell(value: Json) -> str:
    return "" if value is None else value_as_text(value)
