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


def test_what_is_dense_is_named(tmp_path: Path) -> None:
    file = tmp_path / "a.py"
    (tmp_path / "b.py").write_text("")
    file.write_text(
        '"""Says what is in b.py."""\n'
        "def many(a, b, c, d, e, f): pass\n"
        "def dense(a):\n    return [x for x in a if x and x > 1 and x < 2] if a and 1 or 2 else 3 if not a or a > 2 and a else []\n"
        "class Large:\n" + "".join(f"    field_{number}: int\n" for number in range(9))
    )
    assert sorted(line.removeprefix(str(file)) for line in budget.over_budget(file, tmp_path)) == [
        ":1: the docstring names the file b.py; say what is here",
        ":2 many: 6 parameters (budget 5)",
        ":3 dense: complexity 11 (budget 10)",
        ":4: 2 conditional expressions in a statement (budget 1)",
        ":5 Large: 9 fields (budget 8)",
    ]


def test_a_folder_with_too_many_files_is_named_unless_it_is_a_list_of_kinds(tmp_path: Path) -> None:
    for folder in ("rooms", "cli/commands"):
        (tmp_path / folder).mkdir(parents=True)
        for number in range(16):
            (tmp_path / folder / f"file_{number}.py").write_text("")
    assert list(budget.full_folders(tmp_path)) == [f"{tmp_path / 'rooms'}: 16 files (budget 15)"]
