"""What is known while a plan is made: parameters, environment, names; and what was found wrong so far. Decides nothing itself."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, TypeVar

from msgspec import Struct, field

from batchwork.errors import Place, Problem, RenderError, WorkflowError
from batchwork.spec.fields.workflow import Spec
from batchwork.spec.readers import has_template
from batchwork.spec.written import Deferred, MaybeTemplate, WrittenSettings
from batchwork.spec.yaml.nodes import ListNode, Node, ScalarNode, json_of, node_of, place_in, text_place
from batchwork.template import Path, Template, Value, compile_template, misplaced, unknown_names
from batchwork.text.jsontext import Json
from batchwork.text.patterns import pattern
from batchwork.text.spelling import listing, suggest

S = TypeVar("S", bound=Struct)
T = TypeVar("T")

CONSTANT_NAMES: Final = frozenset({"params", "args", "env", "steps", "run"})
"""Names that are the same for every unit."""
UNIT_NAMES: Final = frozenset({"key", "index", "attempt", "idempotency_key"})
ITEM_NAMES: Final = UNIT_NAMES | {"item", "batch"}
RESERVED: Final = CONSTANT_NAMES | ITEM_NAMES | {"error"}
"""What outputs may not be called."""
_ELSEWHERE: Final = {
    "item": "`item` can be used only in the task of a step with items (`task: batch`, or `for_each`)",
    "batch": "`batch` can be used only in the task of a step with items (`task: batch`, or `for_each`), and in "
    "`on_item_error` only if each unit is a batch of its own (`each: batch`, or `batch_size: 1`)",
    "error": "`error` can be used only in `on_item_error` and `on_error`",
    **dict.fromkeys(UNIT_NAMES, "that can be used only in what is run, once for each attempt"),
}
_PARTS: Final[Mapping[object, tuple[str, ...]]] = {
    "run": ("id", "name", "dir", "status"),
    "batch": ("index", "item", "items", "size", "total"),
    "error": ("type", "message", "attempts", "exit_code", "status_code"),
}
_MAY_DO_WITHOUT: Final = pattern(r"\b(default|d|defined|undefined|if|and|or)\b")
"""In an expression: not all of it need be there."""


class Circumstances(Struct, frozen=True):
    """What a workflow is planned with, beside its text.

    `words` are NAME=VALUE, or values by name; `params_file` is a path or what such a file holds. `lenient`: required
    parameters and secrets need no value.
    """

    words: Sequence[str] | Mapping[str, str]
    params_file: Mapping[str, Json] | str | None
    environ: Mapping[str, str]
    max_parallel: int | None
    cpus: int
    lenient: bool = False


class Knowns(Struct):
    """`missing` are parameters that have no value, as `validate` allows. `names` are all constant names."""

    spec: Spec
    given: Circumstances
    params: Mapping[str, Json]
    missing: frozenset[str]
    outputs: Mapping[str, str] = field(default_factory=dict)  # name to step
    env: dict[str, Value] = field(default_factory=dict)
    problems: list[Problem] = field(default_factory=list)
    warnings: list[Problem] = field(default_factory=list)
    decisions: list[Problem] = field(default_factory=list)
    written: dict[str, Place] = field(default_factory=dict)  # files that steps write, and where they say so

    @property
    def plain_names(self) -> frozenset[str]:
        """What may be used before anything has run."""
        return frozenset({*self.params, *self.missing, "params", "args", "env"})

    @property
    def names(self) -> frozenset[str]:
        return self.plain_names | CONSTANT_NAMES | self.outputs.keys()

    # ------------------------------------------------------------ values

    def value(self, node: Node, names: Iterable[str], check_marks: bool = True) -> Value | None:
        """The node as a value whose templates are compiled and use known names only; None where they do not compile."""
        json = json_of(node)
        if not _holds_template(node):
            return Value.constant(json, text_place(node))
        try:
            value = Value.of(json, place_in(node))
        except WorkflowError as error:
            self.problems.extend(error.problems)
            return None
        self.problems.extend(map(self._explained, unknown_names(value, names)))
        if check_marks:
            self.problems.extend(misplaced(value))
        for template in value.templates():
            self._note_unset(template)
            self._check_parts(template)
        return value

    def template(self, node: ScalarNode, names: Iterable[str]) -> Template | None:
        """The node's text as a template that uses known names only; None where it does not compile."""
        try:
            template = compile_template(node.text, text_place(node))
        except WorkflowError as error:
            self.problems.extend(error.problems)
            return None
        self.problems.extend(map(self._explained, unknown_names(template, names)))
        self._check_parts(template)
        return template

    def _note_unset(self, template: Template) -> None:
        """Warn of environment variables that every unit will miss; the secrets among them are problems already."""
        known = {*self.given.environ, *self.env, *(node.text for node in self.spec.secrets)}
        for part in template.expressions:
            for path in part.paths:
                if len(path) != 2 or path[0] != "env" or path[1] in known:
                    continue
                name = path[1]
                if part.core in (f"env.{name}", f"env['{name}']", f'env["{name}"]'):  # else it may do without
                    self.warnings.append(Problem(part.place, f"the environment variable `{name}` is not set"))

    def _check_parts(self, template: Template) -> None:
        """A problem for each `params.NAME`, `run.NAME` … that there is not, unless a default or a condition may do without it."""
        for part in template.expressions:
            if _MAY_DO_WITHOUT.search(part.core):
                continue
            for name, below in (path[:2] for path in part.paths if len(path) > 1):
                if name in ("params", "args"):
                    self._check_parameter(str(below), part.place)
                elif name in _PARTS and below not in _PARTS[name]:
                    hint = suggest(str(below), _PARTS[name]) or f"there is {listing(_PARTS[name])}"
                    self.problems.append(Problem(part.place, f"`{name}` has no `{below}`", hint))

    def _check_parameter(self, name: str, place: Place) -> None:
        """Without a `params:` block, `validate` cannot tell what a run will be given, so it only warns."""
        if name in self.params or name in self.missing or hasattr(dict, name):
            return
        known = [*self.params, *sorted(self.missing)]
        hint, found = f"declared under `params:`: {listing(known)}", self.problems
        if self.spec.params is None:
            hint = f"it is given as {name}=VALUE"
            found = self.warnings if self.given.lenient else found
        found.append(Problem(place, f"there is no parameter `{name}`", suggest(name, known) or hint))

    def _explained(self, problem: Problem) -> Problem:
        """An unknown name with what it may have been meant to be."""
        name = problem.message.split("`")[1]
        if name in _ELSEWHERE:
            return Problem(problem.place, problem.message, _ELSEWHERE[name])
        if self.spec.params is None and "did you mean" not in problem.hint:
            hint = f"a parameter is given as {name}=VALUE. {problem.hint}"
            return Problem(problem.place, problem.message, hint)
        return problem

    def exposed(self, paths: Iterable[Path], place: Place) -> Iterator[Problem]:
        """A problem if a value of these paths, which is to stand in an argument list, may hold a secret.

        It may do so by the secret's own name, by a variable of `env:`, or with all of `env`.
        """
        secret = self.secret_of(paths)
        if secret is not None:
            message = f"the secret `{secret}` would stand in an argument list, where others can read it"
            yield Problem(place, message, f'commands have it in their environment: "${secret}"; or give it by `stdin:`')

    def secret_of(self, paths: Iterable[Path]) -> str | None:
        """The name of a secret that a value of these paths may hold; None if it can hold none."""
        holders = {node.text: node.text for node in self.spec.secrets}
        if not holders:
            return None
        for name, value in self.env.items():
            if (secret := _held(value.paths, holders)) is not None:
                holders[name] = secret
        return _held(paths, holders)

    # ------------------------------------------------------------ settings

    def settings(self, written: WrittenSettings[S]) -> S:
        """All settings of a mapping; templates over parameters and the environment are rendered."""
        found = {attribute: self.optional(setting) for attribute, setting in written.values.items()}
        return written.kind(**{attribute: value for attribute, value in found.items() if value is not None})

    def optional(self, setting: MaybeTemplate[T]) -> T | None:
        """The value of one setting; None where nothing was written, or what was written is wrong."""
        if not isinstance(setting, Deferred):
            return setting
        template = self.template(setting.node, self.plain_names)
        if template is None or not template.needs <= self.plain_names:
            return None
        if self.missing and template.roots & {*self.missing, "params", "args"}:
            return None
        try:
            value = template.render(self.scope())
        except RenderError as error:
            self.problems.append(Problem(setting.node.place, error.message))
            return None
        return setting.read(node_of(value, setting.node.place), self.problems)

    def scope(self) -> dict[str, object]:
        """The values of `plain_names`."""
        scope: dict[str, object] = {
            **self.params,
            "params": self.params,
            "args": self.params,
            "env": self.given.environ,
        }
        if not self.env:
            return scope
        rendered = dict(self.given.environ)
        for name, value in self.env.items():
            if "run" in value.roots:  # there is no run yet
                continue
            try:
                rendered[name] = value.text(scope)
            except RenderError as error:
                if not self.given.lenient:
                    self.problems.append(Problem(value.place, f"env `{name}`: {error.message}", error.hint))
        return {**scope, "env": rendered}


def _held(paths: Iterable[Path], holders: Mapping[str, str]) -> str | None:
    for path in paths:
        if path[0] != "env":
            continue
        if len(path) == 1 or hasattr(dict, str(path[1])):  # all of it, such as `env[name]` or `env.get(name)`
            return next(iter(holders.values()))
        if str(path[1]) in holders:
            return holders[str(path[1])]
    return None


def _holds_template(node: Node) -> bool:
    """Whether any text in it has a template (keys too)."""
    if isinstance(node, ScalarNode):
        return has_template(node)
    if isinstance(node, ListNode):
        return any(map(_holds_template, node.items))
    return any("{{" in key or "{%" in key or _holds_template(entry.node) for key, entry in node.entries.items())
