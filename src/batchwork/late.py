"""Imports that cost less: what packages do at import for what is never used here is put off. Nothing about batchwork is here.

    with late_imports():
        import yaml

Stand-ins do it when they are first asked for anything: regular expressions are compiled, and `inspect`, `platform`,
`textwrap` and the part of msgspec that describes types are imported. `typing_extensions` is not imported, because msgspec
finds all that it needs in the standard library. It is a third of the time that these packages take to import.
"""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib import import_module
from types import ModuleType
from typing import TYPE_CHECKING

_PUT_OFF = ("inspect", "platform", "textwrap", "msgspec.inspect")
_ABSENT = ("typing_extensions",)


if TYPE_CHECKING:

    def pattern(text: str, flags: int = 0) -> re.Pattern[str]:
        """A regular expression that is compiled when it is first used."""
        ...

else:

    class pattern:  # noqa: N801  it is used as a function
        """A regular expression that is compiled when it is first used."""

        def __init__(self, text: str | bytes, flags: int = 0) -> None:
            self.pattern, self._flags = text, flags

        def __getattr__(self, name: str) -> object:
            """Only what is not there yet comes here; after the first use the methods are found without it."""
            real = re.compile(self.pattern, self._flags)
            for method in ("match", "fullmatch", "search", "sub", "subn", "split", "findall", "finditer"):
                setattr(self, method, getattr(real, method))
            return getattr(real, name)


class _Module(ModuleType):
    """Stands for a module, and imports it when it is first asked for something."""

    def __getattr__(self, name: str) -> object:
        if sys.modules.get(self.__name__) is self:  # asked while the stand-ins are in place
            del sys.modules[self.__name__]
        return getattr(import_module(self.__name__), name)


def cleandoc(text: str) -> str:
    """As `inspect.cleandoc`, which click asks for each help text."""
    first, *rest = text.expandtabs().split("\n")
    margin = min((len(line) - len(line.lstrip()) for line in rest if line.strip()), default=0)
    lines = [first.lstrip(), *(line[margin:] for line in rest)]
    while lines and not lines[-1]:
        lines.pop()
    while lines and not lines[0]:
        lines.pop(0)
    return "\n".join(lines)


def system() -> str:
    """As `platform.system`, which uuid asks when it is imported."""
    return os.uname().sysname


_OWN = (("inspect", cleandoc), ("platform", system))


class _Patterns(ModuleType):
    """Stands for `re`: all is as there, but `compile` compiles later."""

    def __getattr__(self, name: str) -> object:
        return pattern if name == "compile" else getattr(re, name)


@contextmanager
def late_imports() -> Iterator[None]:
    """What is imported in here gets the stand-ins; afterwards the real modules are where they belong.

    Where there are other threads, nothing is put off: they might import at the same time, and find the stand-ins.
    """
    threading = sys.modules.get("threading")
    if threading is not None and threading.active_count() > 1:
        yield
        return
    stand_ins: dict[str, ModuleType | None] = {"re": _Patterns("re")}
    stand_ins |= {name: _Module(name) for name in _PUT_OFF if name not in sys.modules}
    for name, function in _OWN:
        if stand_in := stand_ins.get(name):
            setattr(stand_in, function.__name__, function)
    stand_ins |= dict.fromkeys((name for name in _ABSENT if name not in sys.modules), None)
    # None is how Python is told that there is no such module
    sys.modules.update(stand_ins)  # type: ignore[arg-type]
    try:
        yield
    finally:
        for name, stand_in in stand_ins.items():
            if sys.modules.get(name) is stand_in:
                del sys.modules[name]
        sys.modules["re"] = re
