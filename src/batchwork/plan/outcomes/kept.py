"""Templates whose values are written into a file of results: what they may use. No secret is among it."""

from __future__ import annotations

from batchwork.errors import Problem
from batchwork.export.pages import ROW_NAMES
from batchwork.plan.knowns import Knowns
from batchwork.spec.yaml.nodes import Node
from batchwork.template import Value


def kept_value(node: Node, knowns: Knowns) -> Value | None:
    """The node as a value of one row; None where it does not compile."""
    value = knowns.value(node, knowns.names | ROW_NAMES)
    if value is not None:
        knowns.problems.extend(_told(value, knowns))
    return value


def _told(value: Value, knowns: Knowns) -> list[Problem]:
    """A problem for each expression that may give a secret away."""
    found = []
    for template in value.templates():
        places = {path: part.place for part in template.expressions for path in part.paths}
        for path in sorted(template.paths, key=repr):
            if (secret := knowns.secret_of([path])) is not None:
                message = f"the secret `{secret}` would stand in the file of results, which others read"
                found.append(Problem(places.get(path, template.place), message, "leave it out: tasks have it by `env`"))
    return found
