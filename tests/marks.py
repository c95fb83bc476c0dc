"""Which tests say of themselves what they show: read from their text, without running or importing them."""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

TESTS = Path(__file__).parent


def shown_by(mark: str, folder: Path = TESTS) -> dict[str, list[str]]:
    """For each word in `@pytest.mark.MARK("word", …)` the tests that bear it, as `folder/file.py::test`."""
    found: dict[str, list[str]] = defaultdict(list)
    for file in sorted(folder.rglob("test_*.py")):
        text = file.read_text(encoding="utf-8")
        if f"pytest.mark.{mark}" not in text:
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                for word in _words(node, f"pytest.mark.{mark}"):
                    found[word].append(f"{file.relative_to(folder)}::{node.name}")
    return dict(found)


def _words(test: ast.FunctionDef, mark: str) -> Iterator[str]:
    for decorator in test.decorator_list:
        if isinstance(decorator, ast.Call) and ast.unparse(decorator.func) == mark:
            yield from (str(ast.literal_eval(word)) for word in decorator.args)
