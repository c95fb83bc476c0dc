"""Finds by name what other packages may add: task types, item sources, executors, stores. Nothing is imported before it is asked for.

Each kind has an entry point group, in which a package names what it adds:

    batchwork.tasks      a class as described by `batchwork.ports.Task`, under the name that stands after `type:`
    batchwork.items      a class as described by `batchwork.ports.SourceType`, under the name that stands after `from:`
    batchwork.executors  makes an Executor of a Clock, under the kind of worker that a Program asks for
    batchwork.launchers  makes what starts nodes, of what `--executor` says, under the word before its first colon
    batchwork.stores     makes a StorePlace of a URL, under the scheme of such URLs

Names of built-in ones cannot be taken.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from functools import cache
from typing import TYPE_CHECKING, Any, Final

from msgspec import Struct

from batchwork.clock import Clock
from batchwork.errors import UsageError
from batchwork.ports import Executor, SourceType, StorePlace, Task

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint


class Group(Struct, frozen=True):
    """One kind of plugin. `built_in` says where those of batchwork are; `parts` are attributes that one must have."""

    entry_points: str
    noun: str
    described: str
    built_in: Mapping[str, str]
    parts: tuple[str, ...] = ()
    instances: bool = False
    """What is named is a class, and an instance of it is meant."""

    def names(self) -> list[str]:
        """All that there are, sorted; those of other packages are named without being imported."""
        return sorted(self.built_in.keys() | _foreign(self.entry_points).keys())

    def find(self, name: str) -> Any:
        """What has that name. Raises KeyError where there is none, UsageError where it cannot be loaded."""
        target = self.built_in.get(name)
        if target is None:
            return self._checked(_foreign(self.entry_points)[name])
        module, _, attribute = target.partition(":")
        return self._made(getattr(importlib.import_module(module), attribute))

    def _made(self, named: Any) -> Any:
        return named() if self.instances else named

    def _checked(self, point: EntryPoint) -> Any:
        package = point.dist.name if point.dist else point.value
        called = f"the {self.noun} `{point.name}` of the package {package}"
        try:
            found = self._made(point.load())
        except (
            Exception
        ) as error:  # another package's code: whatever it raises is that package's fault, and is named so
            message = f"{called} cannot be loaded: {error}"
            raise UsageError(message, f"its entry point is `{point.value}`; reinstall or update {package}") from error
        for part in self.parts:
            if not hasattr(found, part):
                raise UsageError(f"{called} has no `{part}`", self.described)
        return found


@cache
def _foreign(entry_points: str) -> dict[str, EntryPoint]:
    """The entry points of other packages in a group, by name."""
    from importlib import metadata  # half of what reading a workflow imports, and most do without

    return {point.name: point for point in metadata.entry_points(group=entry_points)}


TASKS = Group(
    entry_points="batchwork.tasks",
    noun="task type",
    described="a task type is a class as described by batchwork.ports.Task",
    built_in={
        "append_file": "batchwork.tasks.files.texts:AppendFile",
        "copy_file": "batchwork.tasks.files.moves:CopyFile",
        "delete_file": "batchwork.tasks.files.moves:DeleteFile",
        "echo": "batchwork.tasks.echo:EchoTask",
        "http_request": "batchwork.tasks.http_request.task:HttpRequestTask",
        "move_file": "batchwork.tasks.files.moves:MoveFile",
        "python": "batchwork.tasks.python.task:PythonTask",
        "read_file": "batchwork.tasks.files.texts:ReadFile",
        "read_json": "batchwork.tasks.files.jsons:ReadJson",
        "shell": "batchwork.tasks.shell.task:ShellTask",
        "sql": "batchwork.tasks.sql.task:SqlTask",
        "template": "batchwork.tasks.files.rendered:TemplateTask",
        "write_file": "batchwork.tasks.files.texts:WriteFile",
        "write_json": "batchwork.tasks.files.jsons:WriteJson",
    },
    parts=("name", "Fields", "literal", "open_fields", "default_parallel", "compile"),
    instances=True,
)
SOURCES = Group(
    entry_points="batchwork.items",
    noun="item source",
    described="an item source is a class as described by batchwork.ports.SourceType",
    built_in={
        "arrow": "batchwork.items.tables.arrow:ArrowSource",
        "command": "batchwork.items.command:CommandSource",
        "csv": "batchwork.items.csv.source:CsvSource",
        "glob": "batchwork.items.globs.source:GlobSource",
        "http": "batchwork.items.web.source:HttpSource",
        "jsonl": "batchwork.items.jsonl:JsonlSource",
        "lines": "batchwork.items.lines:LinesSource",
        "parquet": "batchwork.items.tables.parquet:ParquetSource",
        "product": "batchwork.items.combined.product:ProductSource",
        "python": "batchwork.workers.python.generated:PythonSource",
        "range": "batchwork.items.ranges:RangeSource",
        "sql": "batchwork.items.tables.sql:SqlSource",
        "zip": "batchwork.items.combined.side_by_side:ZipSource",
    },
    parts=("name", "Fields", "commands", "nested", "literal", "further", "may_preview", "check", "open"),
    instances=True,
)
EXECUTORS = Group(
    entry_points="batchwork.executors",
    noun="executor",
    described="an executor is a class, or a function that makes one, of a batchwork.clock.Clock",
    parts=("__call__",),
    built_in={
        "inline": "batchwork.workers.inline:InlineExecutor",
        "python": "batchwork.workers.python.executor:PythonExecutor",
        "reactor": "batchwork.workers.reactor.executor:ReactorExecutor",
    },
)
STORES = Group(
    entry_points="batchwork.stores",
    noun="store",
    described="a store is a class, or a function that makes one, as described by batchwork.ports.StorePlace",
    parts=("__call__",),
    built_in={
        "memory": "batchwork.store.memory:MemoryPlace",
        "postgres": "batchwork.store.postgres.place:PostgresPlace",
        "postgresql": "batchwork.store.postgres.place:PostgresPlace",
        "sqlite": "batchwork.store.sqlite.place:SqlitePlace",
    },
)


LAUNCHERS = Group(
    entry_points="batchwork.launchers",
    noun="launcher",
    described="a launcher is a class, or a function that makes one, of what `--executor` says",
    parts=("__call__",),
    built_in={
        "command": "batchwork.workers.nodes.launch.command:CommandLauncher",
        "dask": "batchwork.workers.nodes.launch.dask:dask_launcher",
        "ray": "batchwork.workers.nodes.launch.ray:ray_launcher",
    },
)


@cache
def find_task(name: str) -> Task:
    """The task type of that name. Raises KeyError where there is none, UsageError where it cannot be loaded."""
    task: Task = TASKS.find(name)
    return task


def task_names() -> list[str]:
    """All task types there are, sorted."""
    return TASKS.names()


@cache
def find_source(name: str) -> SourceType:
    """The item source of that name. Raises KeyError where there is none, UsageError where it cannot be loaded."""
    source: SourceType = SOURCES.find(name)
    return source


def source_names() -> list[str]:
    """All item sources there are, sorted."""
    return SOURCES.names()


def find_executor(kind: str) -> Callable[[Clock], Executor]:
    """What makes executors for that kind of worker. Raises KeyError where there is none, UsageError where it cannot be loaded."""
    factory: Callable[[Clock], Executor] = EXECUTORS.find(kind)
    return factory


def find_launcher(kind: str) -> Callable[[str], Any]:
    """What makes a launcher of what `--executor` says. Raises KeyError where there is none, UsageError where it cannot be loaded."""
    launcher: Callable[[str], Any] = LAUNCHERS.find(kind)
    return launcher


def find_store(scheme: str) -> Callable[[str | None], StorePlace]:
    """What makes a place of a URL of that scheme. Raises KeyError where there is none, UsageError where it cannot be loaded."""
    place: Callable[[str | None], StorePlace] = STORES.find(scheme)
    return place


# ---------------------------------------------------------------- packages that not everybody needs

EXTRAS: Final = {
    "aiohttp": "cloud",
    "cryptography": "nodes",
    "distributed": "dask",
    "duckdb": "sql",
    "duckdb_engine": "sql",
    "fsspec": "cloud",
    "pandas": "tables",
    "psycopg": "postgres",
    "pyarrow": "tables",
    "ray": "ray",
    "s3fs": "cloud",
    "sqlalchemy": "sql",
    "zstandard": "tables",
}
"""The extra of batchwork that brings each package."""


def package_problem(package: str, purpose: str) -> UsageError | None:
    """What is wrong where the package is not installed. It is not imported."""
    from importlib.util import find_spec

    if find_spec(package) is not None:
        return None
    return _missing(package, purpose)


def _missing(package: str, purpose: str) -> UsageError:
    return UsageError(
        f"{purpose} needs the package {package}, which is not installed here",
        f"`pip install 'batchwork[{EXTRAS[package]}]'`",
    )


def needed(module: str, purpose: str) -> Any:
    """The module `module`. Raises UsageError, which names the extra, where its package is not installed.

    `purpose` says for people what it is needed for: "reading Parquet files".
    """
    package = module.partition(".")[0]
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name is None or error.name.partition(".")[0] != package:
            raise
    raise _missing(package, purpose)


# ---------------------------------------------------------------- Arrow, without what it would load along

_COMMAND_LINE: Final = "batchwork.cli.main"
"""Where this is loaded, the process is ours. In others Arrow stays as whoever uses it wants it."""
_UNWANTED: Final = frozenset({"numpy", "pandas"})
_M_ARENA_MAX: Final = -8
"""See mallopt(3)."""


def lean_arrow(module: str, purpose: str) -> Any:
    """A module of Arrow. Raises UsageError, which names the extra, where it is not installed.

    It does without numpy, which takes 11 MiB, and without pandas, which its first array would load: 50 MiB and half a second.
    What it frees goes back to the system at once: its own allocators would keep some 30 MiB.
    """
    if "pyarrow" in sys.modules or _COMMAND_LINE not in sys.modules or _UNWANTED & sys.modules.keys():
        return needed(module, purpose)
    _share_one_arena()
    with _hidden():
        arrow = needed("pyarrow", purpose)
        arrow.set_memory_pool(arrow.system_memory_pool())
        arrow.array([])
        return needed(module, purpose)


class _NotFound:
    """Finds none of what is not wanted."""

    def find_spec(self, name: str, *_: object) -> None:
        if name in _UNWANTED:
            raise ModuleNotFoundError(f"{name} is not wanted here", name=name)


@contextmanager
def _hidden() -> Iterator[None]:
    finder: Any = _NotFound()
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


def _share_one_arena() -> None:
    """Have threads that are started from now on share the memory of malloc: each would keep some MiB that it does not use.

    They seldom wait for each other there, because most of the time only one of them runs. Without the C library of GNU nothing changes.
    """
    import ctypes  # runs that write no tables do without

    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)
    if mallopt is not None:
        mallopt(_M_ARENA_MAX, 1)
