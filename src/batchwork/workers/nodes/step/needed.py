"""What every node must have for a program: its interpreter, the folders of its code, and the same source files in them."""

from __future__ import annotations

import ast
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final

from batchwork.workers.nodes.net.digests import digest

_MOST: Final = 1000
"""Files, at most: a package may be large, and each node reads them all."""


def needed(prepare: Mapping[str, Any]) -> list[tuple[str, str]]:
    """Absolute paths, each with the digest of what the file must hold, or nothing where it only must be there."""
    folders = [path for path in prepare.get("path", ()) if isinstance(path, str) and os.path.isabs(path)]
    paths = dict.fromkeys([*folders, *_interpreter(prepare)], "")
    paths |= {file: digest(file) for file in sources(prepare, folders)}
    return [*paths.items()]


def _interpreter(prepare: Mapping[str, Any]) -> Iterator[str]:
    path = prepare.get("interpreter", "")
    if isinstance(path, str) and os.path.isabs(path):
        yield path


def sources(prepare: Mapping[str, Any], folders: Sequence[str]) -> list[str]:
    """The modules in these folders that the program's code imports, and those that they import."""
    waiting = [*_imported_by(prepare)]
    seen: set[str] = set()
    files: dict[str, None] = {}
    while waiting and len(files) < _MOST:
        name = waiting.pop()
        if name in seen:
            continue
        seen.add(name)
        for package, file in _files_of(name, folders):
            if file not in files:
                files[file] = None
                waiting += _imports(_text(file), package)
    return [*files]


def _imported_by(prepare: Mapping[str, Any]) -> Iterator[str]:
    function = prepare.get("function")
    if isinstance(function, str):
        yield function.partition(":")[0]
    for name in ("code", "setup"):
        text = prepare.get(name)
        if isinstance(text, str):
            yield from _imports(text, "")


def _imports(text: str, package: str) -> Iterator[str]:
    """Names of modules, and of what may be one, that a text imports; none where it is no Python of this version."""
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError, RecursionError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            module = _absolute(node, package)
            yield module
            yield from (f"{module}.{alias.name}" for alias in node.names)


def _absolute(node: ast.ImportFrom, package: str) -> str:
    """The module of `from … import`, whose dots go up from a package."""
    if not node.level:
        return node.module or ""
    above = package.split(".")
    if node.level > len(above):
        return ""
    above = above[: len(above) - node.level + 1]
    return ".".join([*above, *([node.module] if node.module else [])])


def _files_of(name: str, folders: Sequence[str]) -> Iterator[tuple[str, str]]:
    """The file of a module and those of the packages that it is in, from the first folder that has them.

    Each with the package from which its relative imports count.
    """
    parts = name.split(".")
    if not all(part.isidentifier() for part in parts):
        return
    for folder in folders:
        found = [one for count in range(1, len(parts) + 1) for one in _file(folder, parts[:count])]
        if found:
            yield from found
            return


def _file(folder: str, parts: Sequence[str]) -> Iterator[tuple[str, str]]:
    path = os.path.join(folder, *parts)
    if os.path.isfile(inside := os.path.join(path, "__init__.py")):
        yield ".".join(parts), inside
    elif os.path.isfile(file := f"{path}.py"):
        yield ".".join(parts[:-1]), file


def _text(file: str) -> str:
    try:
        with open(file, encoding="utf-8", errors="replace") as stream:
            return stream.read()
    except OSError:
        return ""
