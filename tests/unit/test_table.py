"""Tables: whole in a pipe, within the terminal whatever its width, cut where it costs least."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchwork.text.wording import columns
from batchwork.view.table import LAST_MOST, MEASURED_ROWS, Column, table_lines

ITEMS = (
    Column("step", least=6),
    Column("index", right=True, spare=True),
    Column("key", least=16),
    Column("status"),
    Column("time", right=True, width=8, spare=True),
    Column("error or result", least=12),
)
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=60)


def row(key: str = "k", said: str = "said", step: str = "s") -> tuple[str, ...]:
    return (step, "7", key, "succeeded", "12 ms", said)


@given(st.lists(st.tuples(TEXTS, TEXTS, TEXTS), max_size=8), st.integers(40, 250))
@pytest.mark.promise("9.29")
def test_every_line_fits_the_terminal(texts: list[tuple[str, str, str]], room: int) -> None:
    lines = list(table_lines(ITEMS, [row(*three) for three in texts], room))
    assert len(lines) == len(texts) + 1
    assert max(columns(line) for line in lines) <= room


@given(TEXTS.filter(str.isprintable))
@pytest.mark.promise("9.10")
def test_keys_are_whole_in_a_pipe(key: str) -> None:
    lines = list(table_lines(ITEMS, [row(key), row("other")], None))
    assert key in lines[1]


def test_a_long_last_cell_is_cut_in_a_pipe_too() -> None:
    assert columns(list(table_lines(ITEMS, [row(said="x" * 9_999)], None))[1]) < LAST_MOST + 60


@pytest.mark.parametrize(
    ("room", "line"),
    [
        (120, "s 7 a/long/key/of/some/36/columns/in/all succeeded 12 ms said"),
        (90, "s 7 a/long/key/of/some/36/columns/in/all succeeded 12 ms said"),
        (80, "s 7 a/long/key/of/some/36/columns/i… succeeded 12 ms said"),
        (64, "s 7 a/long/key/of/s… succeeded 12 ms said"),
        (56, "s 7 a/long/key/of/som… succeeded said"),
        (44, "s a/long/key/of/s… succeeded said"),
    ],
)
def test_what_is_cut_first(room: int, line: str) -> None:
    rows = [row("a/long/key/of/some/36/columns/in/all")]
    assert " ".join(list(table_lines(ITEMS, rows, room))[1].split()) == " ".join(line.split())


def test_a_later_key_that_is_longer_than_those_measured_takes_room_from_the_last_cell() -> None:
    key = "b" * 40
    rows = [row() for _ in range(MEASURED_ROWS)] + [row(key, "x" * 100)]
    line = list(table_lines(ITEMS, rows, 100))[-1]
    assert key in line
    assert columns(line) == 100


def test_spare_columns_go_where_cutting_is_not_enough() -> None:
    head = (Column("run"), Column("workflow", least=8), Column("started", spare=True), Column("done"))
    rows = [("20261126-154056-b7a24e", "enrich-users", "2026-11-26 15:40:56", "990 of 1,000, 10 failed")]
    cut = "20261126-154056-b7a24e  enrich-us…  2026-11-26 15:40:56  990 of 1,000, 10 failed"
    assert list(table_lines(head, rows, columns(cut)))[1] == cut
    assert list(table_lines(head, rows, 70))[1] == "20261126-154056-b7a24e  enrich-users  990 of 1,000, 10 failed"
