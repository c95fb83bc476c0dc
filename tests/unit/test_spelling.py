"""`did you mean …?`."""

import pytest

from batchwork.text.spelling import listing, nearest, suggest


@pytest.mark.parametrize(
    ("word", "known", "expected"),
    [
        ("stepz", ["steps", "name"], "steps"),
        ("itme", ["index", "item", "key"], "item"),
        ("max_paralel", ["parallel", "max_parallel"], "max_parallel"),
        ("max-parallel", ["max_parallel"], "max_parallel"),
        ("Steps", ["steps"], "steps"),
        ("x", ["a", "b"], None),
        ("retries", ["retry"], None),
        ("", ["a"], None),
        ("a" * 1000, ["a" * 999], None),
    ],
)
def test_the_nearest_word_is_found(word: str, known: list[str], expected: str | None) -> None:
    assert nearest(word, known) == expected


def test_a_suggestion_is_a_question_or_nothing() -> None:
    assert suggest("shel", ["shell"]) == "did you mean `shell`?"
    assert suggest("zzz", ["shell"]) == ""


def test_a_listing_is_cut() -> None:
    assert listing(["a", "b", "c"]) == "`a`, `b` and `c`"
    assert listing([]) == "none"
    assert listing(map(str, range(30)), limit=2) == "`0`, `1` and 28 more"
