"""ResultsSpec to ResultsPlan: the table of a step's results, checked as far as that can be done before anything runs."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress

from batchwork.errors import Problem, RenderError, UsageError
from batchwork.export.target import IN_A_NAME, Target, target_of
from batchwork.model import FileFormat
from batchwork.plan.knowns import Knowns
from batchwork.plan.model import ResultsPlan
from batchwork.plan.outcomes.kept import kept_value
from batchwork.plugins import package_problem
from batchwork.spec.fields.results import ResultsSpec
from batchwork.spec.yaml.nodes import MapNode, ScalarNode
from batchwork.template import Value


def plan_results(spec: ResultsSpec, knowns: Knowns) -> ResultsPlan | None:
    """The table; None where its place cannot be told. All its problems are found in any case."""
    to = _place(spec.to, knowns)
    shape: FileFormat | None = knowns.optional(spec.format)
    columns = None if spec.columns is None else _columns(spec.columns, knowns)
    failed = _place(spec.failed.to, knowns) if spec.failed is not None else None
    if to is None:
        return None
    _check(to, shape, knowns)
    _check_failed(failed, knowns)
    places = [to] if failed is None else [to, failed]
    _check_secrets(places, knowns)
    _check_others(places, knowns)
    return ResultsPlan(to, shape, columns, knowns.optional(spec.join) or False, failed, spec.place)


def _columns(written: MapNode, knowns: Knowns) -> dict[str, Value]:
    found = {name: kept_value(entry.node, knowns) for name, entry in written.entries.items()}
    return {name: value for name, value in found.items() if value is not None}


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
    for package, purpose in target.packages:
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
        if not text:
            continue
        first = knowns.written.setdefault(text, value.place)
        if first != value.place:
            message = f"{text!r} is written twice: at line {first.line} and here"
            knowns.problems.append(Problem(value.place, message, "each needs a file of its own"))


def _check_secrets(places: Sequence[Value], knowns: Knowns) -> None:
    """A problem where a secret would stand in the name of a file."""
    for value in places:
        secret = knowns.secret_of(value.paths)
        if secret is not None and not _may_be_url(value, knowns):
            message = f"the secret `{secret}` would stand in the name of a file"
            knowns.problems.append(Problem(value.place, message, IN_A_NAME))


def _may_be_url(value: Value, knowns: Knowns) -> bool:
    """Whether the place is a URL, as far as it can be told: one that begins with a template may be one."""
    if value.roots <= knowns.plain_names and not knowns.missing:
        with suppress(RenderError):
            return Target(value.text(knowns.scope()), "jsonl").is_url
    text = str(value.json)
    return text.startswith("{{") or Target(text, "jsonl").is_url


def _known_text(value: Value, knowns: Knowns) -> str | None:
    """The text where it is known before anything runs."""
    known = knowns.plain_names - {"env"}
    if not value.roots <= known or (knowns.missing and value.roots):
        return None
    try:
        return value.text(knowns.scope())
    except RenderError:
        return None  # the step says so
