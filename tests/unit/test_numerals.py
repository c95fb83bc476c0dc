"""Numerals: they are what the list of the same texts is."""

from __future__ import annotations

import pytest

from batchwork.text.numerals import Numerals

RANGES = [range(5), range(-3, 9, 4), range(7, -2, -3), range(0), range(2**70, 2**70 + 3)]


@pytest.mark.parametrize("numbers", RANGES)
def test_they_are_the_texts_of_their_numbers(numbers: range) -> None:
    numerals, texts = Numerals(numbers), [str(number) for number in numbers]
    assert [*numerals] == texts
    assert [*reversed(numerals)] == texts[::-1]
    assert (len(numerals), bool(numerals)) == (len(texts), bool(texts))
    assert [numerals[at] for at in range(-len(texts), len(texts))] == texts + texts
    for part in (slice(1, 3), slice(None, -1), slice(4, None), slice(None, None, 2)):
        cut = numerals[part]
        assert isinstance(cut, Numerals)
        assert [*cut] == texts[part]


@pytest.mark.parametrize("numbers", RANGES)
def test_they_equal_any_sequence_of_the_same_texts(numbers: range) -> None:
    numerals, texts = Numerals(numbers), [str(number) for number in numbers]
    assert numerals == texts
    assert texts == numerals
    assert tuple(texts) == numerals
    assert numerals == Numerals(numbers)
    assert numerals != [*texts, "x"]
    assert numerals != Numerals(range(100, 103))
    assert numerals != "".join(texts)


def test_there_is_no_text_beyond_the_last() -> None:
    with pytest.raises(IndexError):
        Numerals(range(3))[3]
    assert "2" in Numerals(range(3))
    assert "02" not in Numerals(range(3))
