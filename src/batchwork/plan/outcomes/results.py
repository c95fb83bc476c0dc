"""ResultsSpec to ResultsPlan: the table of a step's results, checked as far as that can be done before anything runs."""

from __future__ import annotations

from collections.abc import Sequence

from batchwork.errors import Problem, RenderError, UsageError
from batchwork.export.pages import ROW_NAMES
from batchwork.export.target import FileFormat, target_of
from batchwork.plan.knowns import Knowns
from batchwork.plan.model import ResultsPlan
from batchwork.plugins import package_problem
from batchwork.spec.fields.results import ResultsSpec
from batchwork.spec.yaml.nodes import ScalarNode
from batchwork.template import Value


def plan_results(spec: ResultsSpec, knowns: Knowns) -> ResultsPlan | None:
    """The table; None where its place cannot be told. All its problems are found in any case."""
    to = _place(spec.to, knowns)
    shape: FileFormat | None = knowns.optional(spec.format)
    columns = None
    if spec.columns is not None:
        names = knowns.names | ROW_NAMES
        found = {name: knowns.value(entry.node, names) for name, entry in spec.columns.entries.items()}
        columns = {name: value for name, value in found.items() if value is not None}
    failed = _place(spec.failed.to, knowns) if spec.failed is not None else None
    if to is None:
        return None
    _check(to, shape, knowns)
    _check_failed(failed, knowns)
    _check_others([value for value in (to, failed) if value is not None], knowns)
    return ResultsPlan(to, shape, columns, knowns.optional(spec.join) or False, failed, spec.place)


def _place(node: ScalarNode | None, knowns: Knowns) -> Value | None:
    return None if node is None else knowns.value(node, knowns.names)


def _check(to: Value, shape: FileFormat | None, knowns: Knowns) -> None:
    """A problem where the format cannot be told, or a package is missing that it needs."""
    place = _known_text(to, knowns)
    if place is None:
        return
    try:
        target = target_of(place, shape)
    except UsageError as error:
        knowns.problems.append(Problem(to.place, error.message, error.hint))
        return
    needs = [("pyarrow", "writing Parquet files")] if target.format == "parquet" else []
    needs += [("zstandard", "writing .zst files")] if target.compression == "zst" else []
    needs += [("fsspec", "writing to URLs")] if target.is_url else []
    for package, purpose in needs:
        if (missing := package_problem(package, purpose)) is not None:
            knowns.problems.append(Problem(to.place, missing.message, missing.hint))


def _check_failed(to: Value | None, knowns: Knowns) -> None:
    place = None if to is None else _known_text(to, knowns)
    if to is None or place is None:
        return
    try:
        shape = target_of(place).format
    except UsageError:
        shape = None
    if shape != "jsonl":
        message = f"failed items are written as JSON Lines, and {place!r} has another ending"
        knowns.problems.append(Problem(to.place, message, "for example failed.jsonl, or failed.jsonl.gz"))


def _check_others(places: Sequence[Value], knowns: Knowns) -> None:
    """A problem where two files would be one."""
    for value in places:
        text = _known_text(value, knowns)
        first = text and knowns.written.setdefault(text, value.place)
        if first and first != value.place:
            message = f"{text!r} is written twice: at line {first.line} and here"
            knowns.problems.append(Problem(value.place, message, "each needs a file of its own"))


def _known_text(value: Value, knowns: Knowns) -> str | None:
    """The text where it is known before anything runs."""
    known = knowns.plain_names - {"env"}
    if not value.roots <= known or (knowns.missing and value.roots):
        return None
    try:
        return value.text(knowns.scope())
    except RenderError:
        return None  # the step says so
