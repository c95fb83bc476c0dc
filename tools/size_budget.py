"""The size budget: a file of the program has at most 350 lines, a function at most 60. Over budget means a missing noun."""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterator
from pathlib import Path

FILE_LINES = 350
FUNCTION_LINES = 60


def over_budget(path: Path) -> Iterator[str]:
    """What in a file is too long, one line of text each."""
    text = path.read_text(encoding="utf-8")
    lines = text.count("\n")
    if lines > FILE_LINES:
        yield f"{path}: {lines} lines (budget {FILE_LINES})"
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                yield f"{path}:{node.lineno} {node.name}: {length} lines (budget {FUNCTION_LINES})"


def main(folders: list[str]) -> int:
    """Print what is over budget; the exit status says whether something is."""
    found = [line for folder in folders for path in sorted(Path(folder).rglob("*.py")) for line in over_budget(path)]
    print("\n".join(found) if found else "size budget kept")
    return bool(found)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:] or ["src"]))
