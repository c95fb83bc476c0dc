"""What the store keeps of a run beside its plan, as JSON."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from msgspec import Struct, ValidationError, convert, to_builtins
from msgspec.structs import replace

from batchwork.engine.run.request import Nodes
from batchwork.model import RunRecord
from batchwork.ports.journals import ExecutionMark
from batchwork.text.jsontext import Json, decode, encode


class Kept(Struct, frozen=True):
    """`executions` are those that have not ended, or have left journals; `secrets` are the names of those that may have been taken out.

    `lost_text`: the stored workflow lacks something that has no name. `lost_params`: so do these parameters,
    and of them `defaulted` have the value that the workflow's file gives them, which a resume can read there again.
    """

    executions: tuple[ExecutionMark, ...] = ()
    max_parallel: int | None = None
    secrets: tuple[str, ...] = ()
    lost_text: bool = False
    lost_params: tuple[str, ...] = ()
    defaulted: tuple[str, ...] = ()
    nodes: Nodes = Nodes()

    def text(self) -> str:
        """As the run's record keeps it."""
        return encode(
            {
                "executions": [{"id": mark.id, "boot": mark.boot, "folder": mark.folder} for mark in self.executions],
                "max_parallel": self.max_parallel,
                "secrets": list(self.secrets),
                "lost_text": self.lost_text,
                "lost_params": list(self.lost_params),
                "defaulted": list(self.defaulted),
                **_told(self.nodes),
            }
        )


def kept_from(record: RunRecord) -> Kept:
    """What was kept; parts that are not there, or are something else, are left out."""
    found = decode(record.options or "{}")
    if not isinstance(found, dict):
        return Kept()
    most = found.get("max_parallel")
    if not isinstance(most, int):
        most = None
    return Kept(
        _executions(found),
        most,
        _texts(found.get("secrets")),
        found.get("lost_text") is True,
        _texts(found.get("lost_params")),
        _texts(found.get("defaulted")),
        _nodes(found.get("nodes")),
    )


def _told(nodes: Nodes) -> dict[str, Json]:
    return {} if nodes == Nodes() else {"nodes": to_builtins(nodes)}


def _nodes(found: Json) -> Nodes:
    try:
        return Nodes() if found is None else convert(found, Nodes)
    except ValidationError:
        return Nodes()


def placed(record: RunRecord, nodes: Nodes) -> RunRecord:
    """The record, which says where the work is done."""
    return replace(record, options=replace(kept_from(record), nodes=nodes).text())


def with_journals(runs: Iterable[RunRecord]) -> set[str]:
    """The executions whose journals may still be asked for."""
    return {mark.id for run in runs for mark in kept_from(run).executions if mark.folder}


def _executions(found: Mapping[str, Json]) -> tuple[ExecutionMark, ...]:
    marks = found.get("executions")
    if isinstance(marks, list):
        return tuple(_mark(mark) for mark in marks if isinstance(mark, dict))
    cookie = found.get("cookie")  # of a store of version 1
    return (ExecutionMark(cookie),) if isinstance(cookie, str) and cookie else ()


def _mark(fields: Mapping[str, Json]) -> ExecutionMark:
    return ExecutionMark(*(str(fields.get(name, "")) for name in ("id", "boot", "folder")))


def _texts(value: Json) -> tuple[str, ...]:
    return tuple(str(part) for part in value) if isinstance(value, list) else ()
