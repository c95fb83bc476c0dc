"""Commands that list items: their templates bound, not pasted, like those of shell tasks. Nothing is run here."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from batchwork.errors import Place, Problem, WorkflowError
from batchwork.plan.knowns import Knowns
from batchwork.ports import Scope
from batchwork.spec.nodes import ScalarNode
from batchwork.template import Template, Value

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
    secret = _secret(template, knowns)
    if secret is not None:
        message = f"the secret `{secret}` would stand in an argument list, where others can read it"
        knowns.problems.append(Problem(place, message, f'write "${secret}": commands have it in their environment'))
        return None
    knowns.warnings.extend(compiled.warnings)
    return Value(command, place, template.roots, (template,), lambda scope: _text(compiled, scope))


def _text(compiled: ShellCommand, scope: Scope) -> str:
    assignments = (f"{name}={shlex.quote(text)}\n" for name, text in compiled.bind(scope).items())
    return "".join(assignments) + compiled.text(scope)


def _secret(template: Template, knowns: Knowns) -> str | None:
    names = {node.text for node in knowns.spec.secrets}
    used = (str(path[1]) for path in template.paths if path[0] == "env" and len(path) > 1)
    return next((name for name in used if name in names), None)
