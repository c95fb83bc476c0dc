"""Whatever a filter says of whatever table: with rows left out by Arrow beforehand, the items are the same as without."""

from __future__ import annotations

import datetime as dt
import math
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from batchwork.engine.feed.source.opening import Around, open_around
from batchwork.errors import SourceError
from batchwork.items.fields import open_source
from batchwork.items.narrowing import NarrowedItems
from batchwork.items.tables import batches
from batchwork.plan.model import ItemsPlan
from batchwork.ports import BadRow, ItemSource, Row, Rows
from batchwork.ports.conditions import Unclear
from batchwork.template import Value

PARAMS = {"least": 2, "name": "b", "odd": [1]}

days = st.dates(dt.date(1, 1, 1), dt.date(9999, 12, 31)) | st.sampled_from([dt.date(2026, 1, 2), dt.date(999, 1, 1)])
floats = st.sampled_from([0.0, -0.0, 1.0, 2.0, 2.5, 1e300, 1e-300, math.nan, math.inf]) | st.floats(width=32)
wholes = st.integers(-3, 3) | st.sampled_from([2**53, 2**53 + 1, 2**63 - 1, -(2**63)])
texts = st.sampled_from(["", "a", "b", "B", "ü", "\U0001f600", "\uffff", "2026-01-02", "1"]) | st.text(max_size=3)
KINDS: dict[str, tuple[pa.DataType, st.SearchStrategy[Any]]] = {
    "n": (pa.int64(), wholes),
    "small": (pa.int8(), st.integers(-3, 3)),
    "large": (pa.uint64(), st.integers(0, 3) | st.just(2**64 - 1)),
    "x": (pa.float64(), floats),
    "half": (pa.float32(), floats.filter(lambda value: not math.isfinite(value) or abs(value) < 1e38)),
    "s": (pa.string(), texts),
    "kind": (pa.dictionary(pa.int8(), pa.string()), texts),
    "ok": (pa.bool_(), st.booleans()),
    "day": (pa.date32(), days),
    "at": (pa.timestamp("us", "UTC"), st.datetimes(dt.datetime(1990, 1, 1), dt.datetime(2040, 1, 1), timezones=st.just(dt.UTC))),
    "money": (pa.decimal128(9, 2), st.decimals(-1000, 1000, places=2)),
    "raw": (pa.binary(), st.binary(max_size=2)),
    "list": (pa.list_(pa.float64()), st.lists(st.none() | floats, max_size=2)),
    "deep": (pa.struct([("n", pa.int64())]), st.fixed_dictionaries({"n": st.none() | wholes})),
    "none": (pa.null(), st.none()),
}  # fmt: skip


@st.composite
def tables(draw: st.DrawFn) -> pa.Table:
    names = draw(st.lists(st.sampled_from([*KINDS]), min_size=1, max_size=4, unique=True))
    length = draw(st.integers(0, 12))
    columns = []
    for name in names:
        kind, strategy = KINDS[name]
        values = draw(st.lists(st.none() | strategy, min_size=length, max_size=length))
        columns.append(
            pa.array(values, kind.value_type).dictionary_encode() if name == "kind" else pa.array(values, kind)
        )
    return pa.table(columns, names=names)


def written(value: Any) -> str:
    if isinstance(value, str):
        return "'" + value.encode("unicode_escape").decode().replace("'", "\\'") + "'"
    return repr(value).lower() if isinstance(value, bool) else repr(value)


constants = (
    st.sampled_from([0, 1, -1, 2.0, 2.5, True, False, "", "b", "ü", "2026-01-02", "1", 2**53 + 1, 2**64, 1e300, -(2**63)])
    .map(written)
    | st.sampled_from(["params.least", "params.name", "params.odd", "least", "none", "item.n", "item.gone"])
)  # fmt: skip
columns = st.sampled_from([f"item.{name}" for name in KINDS] + ["item['s']", "item.deep.n", "item.gone", "item"])
compared = st.builds("({} {} {})".format, columns, st.sampled_from(["==", "!=", "<", "<=", ">", ">="]), constants)
leaves = st.one_of(
    compared,
    st.builds("({} {} {})".format, constants, st.sampled_from(["==", "!=", "<", ">="]), columns),
    st.builds("({} <= {} < {})".format, constants, columns, constants),
    st.builds("({} {} [{}])".format, columns, st.sampled_from(["in", "not in"]), st.lists(constants, max_size=3).map(", ".join)),
    st.builds("({} {} none)".format, columns, st.sampled_from(["is", "is not"])),
    columns,
    st.builds("({} | length > 1)".format, columns),
)  # fmt: skip
expressions = st.recursive(
    leaves,
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["and", "or"]), inner)
        | st.builds("(not {})".format, inner)
    ),
    max_leaves=4,
)


@pytest.fixture(autouse=True)
def small_batches(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batches, "SIFTED_ROWS", 5)


def opened(path: Path, expression: str) -> NarrowedItems:
    plan = ItemsPlan(
        "from", source=path.suffix[1:], fields={"path": Value.constant(str(path))}, narrowing={"filter": Value.of(f"{{{{ {expression} }}}}")}
    )  # fmt: skip
    source = open_around(plan, Around({"params": PARAMS, **PARAMS}, "/", {}))
    assert isinstance(source, NarrowedItems)
    return source


def seen(pages: Iterator[Sequence[Row]]) -> list[tuple[object, str]]:
    """The items with their places, and the error that reading ended with."""
    found: list[tuple[object, str]] = []
    try:
        for page in pages:
            for at, item in enumerate(page):
                place = page.place(at) if isinstance(page, Rows) else item.key if isinstance(item, BadRow) else ""
                found.append((item if isinstance(item, BadRow) else repr(item), place))
    except SourceError as error:
        found.append((error.message, "error"))
    return found


def unsifted(source: NarrowedItems) -> NarrowedItems:
    class Plain:
        """The same source, which cannot leave anything out."""

        def __init__(self, within: ItemSource) -> None:
            self.pages, self.reading, self.close = within.pages, within.reading, within.close
            self.may_block = within.may_block

    return NarrowedItems(Plain(source._source), source._how)


def check(path: Path, expression: str) -> None:
    source = opened(path, expression)
    assert seen(source.pages(0, 3)) == seen(unsifted(source).pages(0, 3))


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=400)
@given(table=tables(), expression=expressions, form=st.sampled_from(["parquet", "arrow"]))
@example(pa.table({"n": [1, None, 3]}), "item.n > 1", "parquet")
@example(pa.table({"n": [1, 2, 3], "x": [1.0, math.nan, None]}), "item.n == 3", "parquet")
@example(
    pa.table({"n": [2**53, 2**53 + 1], "x": [2.0**53, 1.0]}), f"item.n == {2.0**53} or item.x == {2**53 + 1}", "arrow"
)
@example(pa.table({"ok": [True, None, False], "n": [None, None, 1]}), "item.ok and item.n > 0", "parquet")
@example(pa.table({"list": [[1.0], [math.nan], None], "n": [1, 2, 3]}), "item.n != 1", "parquet")
def test_what_a_filter_takes_is_the_same(tmp_path: Path, table: pa.Table, expression: str, form: str) -> None:
    path = tmp_path / f"t.{form}"
    if form == "parquet":
        pa.parquet.write_table(table, path, row_group_size=7)
    else:
        pa.feather.write_feather(table, path, compression="uncompressed", chunksize=7)
    check(path, expression)


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([dt.date(2026, 1, 1), 2**30], pa.int32()),  # as dates: one beyond the year 9999
        ([b"a", b"\xff"], pa.binary()),  # as texts: one that is not UTF-8
    ],
)
def test_what_cannot_be_read_at_all_is_not_overlooked(tmp_path: Path, values: list[Any], kind: pa.DataType) -> None:
    ints = [value if not isinstance(value, dt.date) else 20_454 for value in values]
    column = pa.array(ints, kind).view(pa.date32() if kind == pa.int32() else pa.string())
    path = tmp_path / "t.parquet"
    pa.parquet.write_table(pa.table({"n": [1, 2], "value": column}), path)
    check(path, "item.n == 1")
    bad, place = seen(opened(path, "item.n == 1").pages(0, 3))[-1]
    assert isinstance(bad, BadRow)
    assert place.endswith("t.parquet:2")


@pytest.mark.parametrize(
    ("expression", "left"),
    [
        ("item.n == 7", 1),
        ("item.n >= params.least and item.n < 4", 2),
        ("3 <= item.n <= 4", 2),
        ("item.s in ['a', 'b']", 67),
        ("item.s not in ['a', 'b'] and item.ok", 17),
        ("item.day > '2026-03-01'", 40),
        ("item.x is none or item.n == 0", 11),
        ("not item.ok and item.n | abs > 90", 50),
        ("item.n | abs == 3", 100),
        ("item.n > 2.5", 100),
    ],
)
def test_so_many_rows_are_read_whole(tmp_path: Path, expression: str, left: int) -> None:
    numbers = range(100)
    table = pa.table(
        {
            "n": numbers,
            "s": [("a", "b", "c")[at % 3] for at in numbers],
            "ok": [at % 2 == 0 for at in numbers],
            "day": [dt.date(2026, 1, 1) + dt.timedelta(at) for at in numbers],
            "x": [None if at % 10 == 5 else at / 2 for at in numbers],
        }
    )
    pa.parquet.write_table(table, tmp_path / "t.parquet")
    check(tmp_path / "t.parquet", expression)
    condition = opened(tmp_path / "t.parquet", expression)._how.condition
    source: Any = open_source("parquet", {"path": str(tmp_path / "t.parquet")}, "/", {})
    assert condition is not None
    assert sum(map(len, source.sifted(condition, 10))) == left
    assert sum(map(len, source.sifted(Unclear(), 10))) == 100
