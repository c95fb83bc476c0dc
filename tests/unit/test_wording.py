"""Values in words: what is unseen becomes visible, numbers and times read well."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from batchwork.text.wording import (
    duration,
    number,
    plural,
    rate,
    share,
    short,
    size,
    visible,
    visible_block,
    visible_json,
)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain é 日本 🎉", "plain é 日本 🎉"),
        ("\x1b[31mred", "\\x1b[31mred"),
        ("a\r\nb\nc\td\re", "a\\nb\\nc\\td\\re"),
        ("\x9b0m\x7f\x00", "\\x9b0m\\x7f\\x00"),
        ("a\u202eb\ufeff", "a\\u202eb\\ufeff"),
        ("\ud800", "\\ud800"),
    ],
)
def test_one_line_is_safe_on_a_terminal(text: str, shown: str) -> None:
    assert visible(text) == shown


def test_a_block_keeps_its_lines() -> None:
    assert visible_block("a\r\n\tb\x1b]0;x\x07") == "a\n\tb\\x1b]0;x\\x07"


@given(st.text())
def test_visible_json_means_the_same(text: str) -> None:
    shown = visible_json(json.dumps(text, ensure_ascii=False))
    assert json.loads(shown) == text
    shown.encode()
    assert not any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in shown)


@pytest.mark.parametrize(
    ("seconds", "shown"),
    [
        (-1, "0 ms"),
        (0, "0 ms"),
        (1e-9, "1 µs"),
        (0.00004, "40 µs"),
        (0.0009996, "1.0 ms"),
        (0.00456, "4.6 ms"),
        (0.00996, "10 ms"),
        (0.0123, "12 ms"),
        (0.9999, "1.0 s"),
        (3.21, "3.2 s"),
        (9.96, "10 s"),
        (59.6, "1 min 00 s"),
        (3599, "59 min 59 s"),
        (7512, "2 h 05 min"),
        (3e5, "3 d 11 h"),
    ],
)
def test_durations(seconds: float, shown: str) -> None:
    assert duration(seconds) == shown


def test_rates_sizes_shares_and_numbers() -> None:
    assert [rate(x) for x in (0, 0.02, 0.5, 4.23, 1234.5)] == ["0/s", "1.2/min", "30/min", "4.23/s", "1,234/s"]
    assert [size(x) for x in (0, 312, 1500, 2**26, 2**40)] == ["0 B", "312 B", "1.46 KiB", "64 MiB", "1024 GiB"]
    assert [share(*x) for x in ((0, 5), (1, 1000), (999, 1000), (5, 5), (0, 0))] == [
        "0 %",
        "<1 %",
        "99 %",
        "100 %",
        "100 %",
    ]
    assert (number(1234567), plural(1, "item"), plural(2000, "item")) == ("1,234,567", "1 item", "2,000 items")
    assert (short("abcdef", 4), short("abcd", 4)) == ("abc…", "abcd")
