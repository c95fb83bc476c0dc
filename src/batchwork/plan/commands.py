"""Commands that list items, and those of `notify:`: templates bound, not pasted, as in shell tasks. Nothing is run here."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING

from batchwork.errors import Place, RenderError, WorkflowError
from batchwork.plan.knowns import Knowns
from batchwork.ports import Scope
from batchwork.secrets import unmistakable
from batchwork.spec.yaml.nodes import Node, ScalarNode
from batchwork.template import Value

if TYPE_CHECKING:
    from batchwork.quoting import ShellCommand


def bound_command(command: str, place: Place, knowns: Knowns) -> Value | None:
    """A value that renders to the command's text; None where it does not compile.

    A source takes just a text, so what shell tasks pass in the environment stands here before the command, as
    assignments of quoted text. Secrets do not, because the text is an argument that every user of the machine can see.
    """
    if "{{" not in command and "{%" not in command:
        return Value.constant(command, place)
    from batchwork.quoting import (
        compile_command,  # reading shell commands is a lot of code, which few workflows need here
    )

    template = knowns.template(ScalarNode(place, command, command), knowns.names)
    if template is None:
        return None
    try:
        compiled = compile_command(template)
    except WorkflowError as error:
        knowns.problems.extend(error.problems)
        return None
    exposed = [*knowns.exposed(template.paths, place)]
    if exposed:
        knowns.problems.extend(exposed)
        return None
    knowns.warnings.extend(compiled.warnings)
    secrets = unmistakable((node.text for node in knowns.spec.secrets), knowns.given.environ)
    return Value(command, place, template.roots, (template,), lambda scope: _text(compiled, scope, secrets))


def notify_command(node: Node, names: Iterable[str], knowns: Knowns) -> ShellCommand | None:
    """The command of an entry of `notify:`; None where it does not compile."""
    value = knowns.value(node, names)
    if value is None:
        return None
    for part in (part for template in value.templates() for part in template.expressions):
        if part.mark:
            knowns.problems.extend(knowns.exposed(part.paths, part.place))
    from batchwork.quoting import compile_command  # few workflows notify

    try:
        return compile_command(value.template or str(value.json))
    except WorkflowError as error:
        knowns.problems.extend(error.problems)
    return None


def _text(compiled: ShellCommand, scope: Scope, secrets: Sequence[tuple[str, str]]) -> str:
    values = compiled.bind(scope)
    for name, secret in secrets:
        if any(secret in text for text in values.values()):
            message = f"the secret `{name}` would stand in an argument list, where others can read it"
            raise RenderError(message, f'write "${name}": commands have it in their environment')
    assignments = (f"{name}={shlex.quote(text)}\n" for name, text in values.items())
    return "".join(assignments) + compiled.text(scope)
