"""From the text of a workflow to its Plan, or to all that is wrong with it. Each part is resolved in a module of its own."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence

from msgspec.structs import asdict, replace

from batchwork.censor import Censor, NoCensor
from batchwork.errors import NOWHERE, Place, Problem, WorkflowError
from batchwork.plan.credentials.given import given_credentials
from batchwork.plan.credentials.written import written_credentials
from batchwork.plan.fingerprint import fingerprint
from batchwork.plan.knowns import CONSTANT_NAMES, RESERVED, Circumstances, Knowns
from batchwork.plan.model import NotifyPlan, Plan, StepPlan
from batchwork.plan.params import parameter_values, read_value, unusual_defaults
from batchwork.plan.references import with_dependencies
from batchwork.plan.steps import plan_step
from batchwork.secrets import SHORTEST, too_short
from batchwork.spec.fields.notify import NOTIFY_ON, NotifySpec
from batchwork.spec.fields.workflow import Spec
from batchwork.spec.parse import parse
from batchwork.spec.workflow_file import file_text
from batchwork.spec.yaml.loader import read_yaml
from batchwork.spec.yaml.nodes import MapNode, ScalarNode, excerpted, json_of
from batchwork.text.jsontext import Json


def load_plan(file: str, text: str, given: Circumstances) -> Plan:
    """The plan of a workflow's text. Raises WorkflowError with every problem found, UsageError for the parameters' file.

    Executes nothing and imports no module that the workflow names.
    """
    problems: list[Problem] = []
    if isinstance(given.params_file, str):
        given = replace(given, params_file=read_params(given.params_file))
    lines = text.split("\n")
    root = read_yaml(file, text, problems)
    written = tuple(dict.fromkeys(written_credentials(root, text)))
    if root is None and problems:
        raise _error(problems, file, lines, Censor(further=written))
    spec = parse(root, file, problems)
    knowns = _knowns(spec, given, problems)
    steps = _steps(knowns)
    notify = tuple(_notification(entry, knowns) for entry in spec.notify)
    secrets = tuple(node.text for node in spec.secrets)
    brought = given_credentials(steps, knowns.params, knowns.env, given.environ)
    credentials = tuple(dict.fromkeys([*written, *brought]))
    censor = Censor(secrets, given.environ, credentials)
    if problems:
        raise _error(problems, file, lines, censor)
    stem = os.path.splitext(os.path.basename(file))[0]
    settings = knowns.settings(spec.settings)
    return Plan(
        file=file,
        folder=os.path.dirname(os.path.abspath(file)),
        text=text,
        params=knowns.params,
        env=knowns.env,
        secrets=secrets,
        steps=steps,
        notify=notify,
        fingerprint=fingerprint(steps, {name: value.json for name, value in knowns.env.items()}),
        credentials=credentials,
        defaulted=_defaulted(knowns),
        warnings=tuple(_tidy(knowns.warnings, file, lines, censor)),
        decisions=tuple(_tidy(knowns.decisions, file, lines, censor)),
        **asdict(replace(settings, name=settings.name or stem or "workflow")),
    )


def _knowns(spec: Spec, given: Circumstances, problems: list[Problem]) -> Knowns:
    params, missing = parameter_values(spec.params, given.words, _values_of_file(given), problems)
    knowns = Knowns(spec, given, params, missing, problems=problems)
    _check_parameters(knowns)
    knowns.outputs = _outputs(knowns)
    _read_env(knowns)
    _check_secrets(knowns)
    return knowns


def _values_of_file(given: Circumstances) -> Mapping[str, Json]:
    assert not isinstance(given.params_file, str)
    return given.params_file or {}


def _defaulted(knowns: Knowns) -> frozenset[str]:
    """The parameters for which nobody gave a value."""
    words = knowns.given.words
    names = words if isinstance(words, Mapping) else [word.partition("=")[0] for word in words]
    return frozenset(knowns.params) - {*names, *_values_of_file(knowns.given)}


def _steps(knowns: Knowns) -> tuple[StepPlan, ...]:
    specs = {spec.name: spec for spec in knowns.spec.steps}
    planned = {spec.name: step for spec in knowns.spec.steps if (step := plan_step(spec, knowns)) is not None}
    return with_dependencies(planned, specs, knowns)


def read_params(path: str) -> Mapping[str, Json]:
    """What a parameters file (YAML or JSON) holds. Raises UsageError, WorkflowError."""
    text = file_text(path, "--params-file needs a YAML or JSON file")
    if text.lstrip().startswith("{") and isinstance(values := read_value(text, None), dict):
        return values
    problems: list[Problem] = []
    node = read_yaml(path, text, problems)
    if not problems and not isinstance(node, MapNode):
        problems.append(Problem(Place(path, 1, 1), "a parameters file must be a mapping from names to values"))
    if problems or not isinstance(node, MapNode):
        raise _error(problems, path, text.split("\n"))
    return {name: json_of(entry.node) for name, entry in node.entries.items()}


# ---------------------------------------------------------------- names


def _check_parameters(knowns: Knowns) -> None:
    declared = knowns.spec.params or {}
    for name in sorted(knowns.missing):
        if not knowns.given.lenient:
            hint = declared[name].description or f"give it as {name}=VALUE"
            knowns.problems.append(Problem(declared[name].place, f"parameter `{name}` is required", hint))
    knowns.warnings.extend(unusual_defaults(declared))
    for name in {*knowns.params, *knowns.missing} & RESERVED:
        place = getattr(declared.get(name), "place", NOWHERE)
        message = f"parameter `{name}` has a name that batchwork uses itself; its value is `params.{name}`"
        knowns.warnings.append(Problem(place, message, f"the bare name `{name}` means batchwork's own `{name}`"))


def _outputs(knowns: Knowns) -> dict[str, str]:
    """The names that steps give their results, by what they may not be called checked."""
    found: dict[str, str] = {}
    for step in knowns.spec.steps:
        node = step.outputs
        if node is None:
            continue
        name = node.text
        if name in RESERVED:
            knowns.problems.append(Problem(node.place, f"`outputs` may not be `{name}`: that name is batchwork's own"))
        elif name in knowns.params or name in knowns.missing:
            knowns.problems.append(Problem(node.place, f"`outputs` may not be `{name}`: a parameter has that name"))
        elif name in found:
            message = f"`outputs` may not be `{name}`: step `{found[name]}` gives its result that name"
            knowns.problems.append(Problem(node.place, message))
        else:
            found[name] = step.name
    return found


def _read_env(knowns: Knowns) -> None:
    for name, entry in knowns.spec.env.items():
        node = entry.node
        if isinstance(node, ScalarNode) and not isinstance(node.value, str):
            node = ScalarNode(node.place, node.text, node.text, "quoted")  # the text as written: 1.10 stays 1.10
        if isinstance(node, ScalarNode) and "\0" in node.text:
            message = f"`{name}` contains a NUL, which no environment variable can hold"
            knowns.problems.append(Problem(node.place, message))
        value = knowns.value(node, knowns.plain_names | {"run"})
        if value is not None:
            knowns.env[name] = value


def _check_secrets(knowns: Knowns) -> None:
    for node in knowns.spec.secrets:
        value = knowns.given.environ.get(node.text)
        if not value:
            if not knowns.given.lenient:
                message = f"the secret `{node.text}` is not set"
                knowns.problems.append(Problem(node.place, message, f"set the environment variable {node.text}"))
        elif too_short([node.text], knowns.given.environ):
            message = f"the secret `{node.text}` is too short to be masked: it has fewer than {SHORTEST} characters"
            knowns.warnings.append(Problem(node.place, message, "it may be seen in results, errors and logs"))


def _notification(spec: NotifySpec, knowns: Knowns) -> NotifyPlan:
    names = knowns.plain_names | CONSTANT_NAMES
    command, url = None, None
    if spec.command is not None:
        from batchwork.plan.commands import notify_command  # few notify

        command = notify_command(spec.command, names, knowns)
    if spec.url is not None:
        url = knowns.value(spec.url, names)
    return NotifyPlan(
        on=tuple(word for word in NOTIFY_ON if word in spec.on),
        command=command,
        url=url,
        place=spec.place,
        **asdict(knowns.settings(spec.settings)),
    )


# ---------------------------------------------------------------- problems


_no_secrets = NoCensor()


def _tidy(problems: Iterable[Problem], file: str, lines: Sequence[str], censor: Censor = _no_secrets) -> list[Problem]:
    """Each problem once, in the order of the file, with its line; without the secrets that a value in it may hold."""

    def shown(problem: Problem) -> Problem:
        if problem.place.file == file:
            problem = excerpted(problem, lines)
        return problem._replace(
            message=censor.text(problem.message),
            hint=censor.text(problem.hint),
            excerpt=censor.text(problem.excerpt),
        )

    return sorted({shown(problem): None for problem in problems}, key=lambda problem: problem.place)


def _error(problems: Iterable[Problem], file: str, lines: Sequence[str], censor: Censor = _no_secrets) -> WorkflowError:
    return WorkflowError(_tidy(problems, file, lines, censor))
