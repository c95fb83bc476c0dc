"""The fault suite is whole: each fault has a test or a measurement, and the page says which."""

from __future__ import annotations

import fault_suite
from marks import shown_by


def test_every_fault_is_shown_by_something() -> None:
    tests = shown_by("fault")
    assert sorted(name for name, row in fault_suite.ROWS.items() if name not in tests and not row.measured) == []
    assert sorted(set(tests) - set(fault_suite.ROWS)) == []


def test_what_measures_a_fault_is_there() -> None:
    root = fault_suite.TESTS.parent
    assert [row.measured for row in fault_suite.ROWS.values() if not (root / row.measured).exists()] == []


def test_the_page_is_the_one_that_the_tests_make() -> None:
    """`make faults` writes it anew."""
    assert fault_suite.DOCUMENT.read_text(encoding="utf-8") == fault_suite.document(shown_by("fault"))
