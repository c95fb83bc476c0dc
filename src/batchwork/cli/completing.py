"""What the shell offers while a command line is written: runs, steps, keys of parameters, task types … Nothing is printed here.

A completion that fails offers nothing: whoever presses the tab key wants no message.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import suppress
from functools import wraps
from itertools import islice
from typing import TYPE_CHECKING, TypeAlias

import click
from click.shell_completion import CompletionItem

if TYPE_CHECKING:
    from batchwork.ports import Store
    from batchwork.spec.fields.workflow import ParamSpec

Offer: TypeAlias = tuple[str, str]
"""A word, and what it is."""
Completion: TypeAlias = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]

RUNS_MAX = 50


def _offering(find: Callable[[click.Context, str], Iterable[Offer]]) -> Completion:
    """Those words that begin as what is written does."""

    @wraps(find)
    def complete(ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
        with suppress(Exception):
            return [
                CompletionItem(word, help=what) for word, what in find(ctx, incomplete) if word.startswith(incomplete)
            ]
        return []

    return complete


@_offering
def runs(ctx: click.Context, _incomplete: str) -> Iterator[Offer]:
    """Ids of runs, the latest first."""
    from batchwork.cli.look import looking
    from batchwork.text.wording import when

    with looking(ctx.params.get("store")) as store:
        for run in islice(store.runs(), RUNS_MAX):
            yield run.id, f"{run.name}, {run.status}, {when(run.created_ms)}"


@_offering
def steps(ctx: click.Context, _incomplete: str) -> Iterator[Offer]:
    """Steps of the run that is named, or of the latest."""
    from batchwork.cli.look import looking, the_steps
    from batchwork.engine.run.find_run import find_run

    with looking(ctx.params.get("store")) as store:
        run = ctx.params.get("run") or _written_run(store)
        for step in the_steps(store, find_run(store, run), None):
            yield step.name, str(step.status)


def _written_run(store: Store) -> str | None:
    """The first word that is a run: click reads no arguments where the value of an option is missing, as it is now."""
    return next((word for word in os.environ.get("COMP_WORDS", "").split() if store.run(word)), None)


@_offering
def params(ctx: click.Context, incomplete: str) -> Iterator[Offer]:
    """`NAME=` for the parameters of the workflow that is named, and values where there is a choice."""
    declared = _declared(ctx.params["workflow"])
    given = [*(ctx.params.get("given") or ())]
    name, lead = _value_of(given, incomplete)
    if name:
        param = declared.get(name)
        return iter([] if param is None else [(lead + choice, "") for choice in _choices(param)])
    there = {word.partition("=")[0] for word in given}
    return ((f"{name}=", param.description or "") for name, param in declared.items() if name not in there)


def _value_of(given: list[str], incomplete: str) -> tuple[str, str]:
    """Of which parameter a value is written, and what stands before it; nothing where it is a name that is written.

    bash takes `=` for a word of its own, and click says of that one that nothing is written yet.
    """
    if given[-1:] == ["="]:
        return "".join(given[-2:-1]), ""
    if given and not incomplete and "=" not in given[-1]:
        return given[-1], "="
    name, mark, _ = incomplete.partition("=")
    return (name, f"{name}=") if mark else ("", "")


def _declared(file: str) -> Mapping[str, ParamSpec]:
    """What the workflow says of its parameters, whatever else is wrong with it."""
    from batchwork.spec.parse import parse
    from batchwork.spec.workflow_file import workflow_text
    from batchwork.spec.yaml.loader import read_yaml

    return parse(read_yaml(file, workflow_text(file), []), file, []).params or {}


def _choices(param: ParamSpec) -> list[str]:
    from batchwork.spec.yaml.nodes import json_of
    from batchwork.template import text_of

    return [text_of(json_of(node)) for node in param.choices or ()]


@_offering
def task_types(_ctx: click.Context, _incomplete: str) -> Iterator[Offer]:
    from batchwork.plugins import task_names

    return ((name, "") for name in [*task_names(), "batch"])


@_offering
def sources(_ctx: click.Context, _incomplete: str) -> Iterator[Offer]:
    from batchwork.plugins import source_names

    return ((name, "") for name in source_names())


@_offering
def pages(_ctx: click.Context, _incomplete: str) -> Iterator[Offer]:
    from batchwork.cli.commands.docs import topics

    return ((topic.name, topic.title()) for topic in topics())


def workflow_files(_ctx: click.Context, _param: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Files: the shell itself knows how to offer them."""
    return [CompletionItem(incomplete, type="file")]
