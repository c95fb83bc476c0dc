"""The budget finds what is too long, and nothing else."""

from __future__ import annotations

import importlib.util
from pathlib import Path

SPEC = importlib.util.spec_from_file_location("budget", Path(__file__).resolve().parents[2] / "tools" / "budget.py")
assert SPEC is not None
assert SPEC.loader is not None
budget = importlib.util.module_from_spec(SPEC)
SPEC.loader.exec_module(budget)


def test_a_function_at_the_budget_is_kept_and_one_line_more_is_not(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("def f():\n" + "    x = 1\n" * 59)
    assert list(budget.over_budget(file)) == []
    file.write_text("def f():\n" + "    x = 1\n" * 60)
    assert [line.split(" ", 1)[1] for line in budget.over_budget(file)] == ["f: 61 lines (budget 60)"]


def test_a_file_over_the_budget_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    file.write_text("x = 1\n" * 351)
    assert list(budget.over_budget(file)) == [f"{file}: 351 lines (budget 350)"]
    assert budget.main([str(tmp_path)]) == 1
