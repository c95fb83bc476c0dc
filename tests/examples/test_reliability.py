"""Every test that the page on reliability names is there."""

from __future__ import annotations

import re
from pathlib import Path

HOUSE = Path(__file__).resolve().parents[2]


def test_every_test_that_is_named_exists() -> None:
    named = set(re.findall(r"`(test_\w+)`", (HOUSE / "docs" / "reliability.md").read_text()))
    there = {
        name
        for file in (HOUSE / "tests").rglob("test_*.py")
        for name in re.findall(r"def (test_\w+)", file.read_text(encoding="utf-8"))
    }
    assert len(named) > 20
    assert sorted(named - there) == []
