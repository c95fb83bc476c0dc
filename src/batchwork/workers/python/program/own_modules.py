"""The author's modules, in folders that come first. One that is called like a module of Python's own is the author's for the
author's code, and Python's for all else: a `token.py` beside the workflow must not break `traceback`.
"""

from __future__ import annotations

import builtins
import os
import sys
from itertools import islice

_TYPING = False  # importing typing costs more than all else here
if _TYPING:
    from typing import Any, Collection, Iterable, Mapping, Sequence

PREFIX = "batchwork_own_"
"""Before the names of the author's modules that are called like Python's own."""
CODE = "batchwork_code"
"""The module in which a task's code lives."""
_LISTED_MOST = 5000
"""Larger folders are asked for each name instead of being listed."""

_shadowing: set[str] = set()
"""Names that mean another module in the author's code."""


def look_first_in(folders: Sequence[str], early: Collection[str]) -> None:
    """Find modules in these folders first. Those in `early` were imported before any program began, and are always Python's own."""
    known = _library() - set(early) - set(sys.builtin_module_names)
    _shadowing.update(*(_found(folder, known) for folder in folders))
    if _shadowing:
        sys.meta_path.insert(0, _Finder(folders))
        builtins.__import__ = _importing(builtins.__import__, folders)
    for folder in reversed(folders):  # now, because the finder itself needs modules of Python's own
        if folder not in sys.path[:1]:
            sys.path.insert(0, folder)


def authors_name(module: str) -> str:
    """The name under which the author's module of this name is imported."""
    if module.partition(".")[0] in _shadowing:
        return PREFIX + module
    return module


def _library() -> set[str]:
    """Names of the modules of Python's own library."""
    names = getattr(sys, "stdlib_module_names", None)  # since 3.10
    if names is None:
        names = {name.partition(".")[0] for name in os.listdir(os.path.dirname(os.__file__))}
    return {name for name in names if not name.startswith("_")}


def _found(folder: str, names: Iterable[str]) -> set[str]:
    """Those of the names that are modules in a folder."""
    try:
        with os.scandir(folder or ".") as entries:
            listed = {entry.name for entry in islice(entries, _LISTED_MOST)}
    except OSError:
        return set()
    if len(listed) < _LISTED_MOST:
        names = [name for name in names if name in listed or f"{name}.py" in listed]
    return {name for name in names if _module_file(folder, name)}


def _module_file(folder: str, name: str) -> str:
    """The file of a module in a folder, or nothing."""
    for file in (os.path.join(folder, name, "__init__.py"), os.path.join(folder, f"{name}.py")):
        if os.path.isfile(file):
            return file
    return ""


class _Finder:
    """Finds the author's modules under their prefixed names, and Python's own under the names that both have."""

    def __init__(self, folders: Sequence[str]) -> None:
        from importlib.machinery import PathFinder
        from importlib.util import spec_from_file_location

        self._folders = folders
        self._find, self._spec = PathFinder.find_spec, spec_from_file_location

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        if name.startswith(PREFIX) and path is None:
            return self._authors(name)
        if name in _shadowing:
            own = {os.path.realpath(folder) for folder in self._folders}
            found = self._find(name, [each for each in sys.path if os.path.realpath(each) not in own], target)
            if found is None:  # one of another system, which Python's own modules look for
                raise ModuleNotFoundError(f"No module named {name!r}", name=name)
            return found
        return None

    def _authors(self, name: str) -> Any:
        plain = name[len(PREFIX) :]
        file = next(filter(None, (_module_file(folder, plain) for folder in self._folders)), None)
        if file is None:
            return None
        inside = [os.path.dirname(file)] if os.path.basename(file) == "__init__.py" else None
        return self._spec(name, file, submodule_search_locations=inside)


def _importing(real: Any, folders: Sequence[str]) -> Any:
    """`__import__`, which gives the author's code the author's modules."""

    def own_import(name: str, globals: Any = None, locals: Any = None, fromlist: Any = (), level: int = 0) -> Any:  # noqa: A002
        if level == 0 and globals and name.partition(".")[0] in _shadowing and _is_authors(globals, folders):
            name = PREFIX + name
        return real(name, globals, locals, fromlist, level)

    return own_import


def _is_authors(names: Mapping[str, Any], folders: Sequence[str]) -> bool:
    """Whether a module is the author's: a task's code, or in one of the folders, and not installed there."""
    if names.get("__name__") == CODE:
        return True
    file = os.path.abspath(names.get("__file__") or os.sep)
    if "site-packages" in file or "dist-packages" in file or file.startswith(os.path.dirname(os.__file__) + os.sep):
        return False
    return any(file.startswith(os.path.join(folder, "")) for folder in folders)
