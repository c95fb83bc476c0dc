"""Templates in a workflow cannot leave their sandbox: each known way out fails, with a message, and does nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from subprocess import CompletedProcess

import pytest
import yaml

Command = Callable[..., "CompletedProcess[str]"]

ESCAPES = (
    "{{ ''.__class__.__mro__[1].__subclasses__() }}",
    "{{ item.__class__.__init__.__globals__ }}",
    "{{ namespace.__init__.__globals__['os'].popen('touch PWN') }}",
    "{{ dict.__base__.__subclasses__() }}",
    "{{ '' | attr('__class__') }}",
    "{{ '' | attr('\\x5f\\x5fclass\\x5f\\x5f') }}",
    "{{ 'a'.format.__globals__ }}",
    "{{ '{0.__class__.__mro__}'.format(1) }}",
    "{{ '{x.__class__}'.format_map({'x': 1}) }}",
    "{{ [1] | map(attribute='__class__') | list }}",
    "{{ [item] | map('attr', '__class__') | list }}",
    "{{ [1] | groupby('__class__') }}",
    "{{ params.__class__ }}",
    "{{ env.__init__.__globals__ }}",
    "{{ item.upper.__self__.__class__ }}",
    "{{ ['a'].append('b') }}",
    "{% for c in ().__class__.__base__.__subclasses__() %}{{ c }}{% endfor %}",
    "{% set c = ''.__class__ %}{{ c }}",
    "{{ 'a' * 10**10 }}",
    "{{ range(10**9) | list }}",
    "{{ '%1000000000d' % 1 }}",
    "{{ 2 ** 100000000 }}",
)

SEEN_ON_LOADING = ("run.__class__.__mro__", "batch.__class__")
"""Parts of names whose parts are known beforehand: nothing runs."""

UNKNOWN = ("cycler", "joiner", "lipsum", "self", "request", "config", "url_for", "get_flashed_messages", "loop")


@pytest.mark.fault("N12")
@pytest.mark.parametrize("expression", SEEN_ON_LOADING)
@pytest.mark.promise("3.01")
def test_escapes_by_way_of_known_names_are_refused_on_loading(batchwork: Command, work: Path, expression: str) -> None:
    task = {"type": "echo", "message": f"{{{{ {expression} }}}}"}
    flow = {"params": {"xs": [1]}, "steps": [{"name": "s", "task": "batch", "inputs": {"items": [1], "task": task}}]}
    (work / "w.yaml").write_text(yaml.safe_dump(flow))
    refused = batchwork("run", "w.yaml", expect=2)
    assert "__class__" in refused.stderr
    assert not (work / ".batchwork").exists()


@pytest.mark.fault("N12")
def test_escapes_fail_and_do_nothing(batchwork: Command, work: Path) -> None:
    steps = [
        {
            "name": f"s{number}",
            "task": "batch",
            "inputs": {"items": ["it"], "continue_on_error": True, "task": {"type": "echo", "message": text}},
        }
        for number, text in enumerate(ESCAPES)
    ]
    (work / "w.yaml").write_text(yaml.safe_dump({"params": {"xs": [1]}, "steps": steps}))
    done = batchwork("run", "w.yaml", "--quiet", expect=3)
    assert "Traceback" not in done.stderr
    units = [json.loads(line) for line in batchwork("items", "--json").stdout.splitlines()]
    assert [unit["status"] for unit in units] == ["failed"] * len(ESCAPES)
    assert {unit["error"]["type"] for unit in units} == {"template"}
    for unit, text in zip(units[:12], ESCAPES, strict=False):
        assert "not allowed in a template" in unit["error"]["message"] or "has no" in unit["error"]["message"], text
    assert not list(work.rglob("PWN*"))


@pytest.mark.parametrize("kind", ["include '/etc/passwd'", "import 'os' as os", "extends '/etc/passwd'"])
def test_templates_load_nothing(kind: str, batchwork: Command, work: Path) -> None:
    task = {"name": "a", "task": "echo", "inputs": {"message": f"{{% {kind} %}}"}}
    (work / "w.yaml").write_text(yaml.safe_dump({"steps": [task]}))
    assert "cannot load other files" in batchwork("validate", "w.yaml", expect=2).stderr


def test_names_of_frameworks_are_unknown(batchwork: Command, work: Path) -> None:
    steps = [{"name": name, "task": "echo", "inputs": {"message": f"{{{{ {name}.__init__ }}}}"}} for name in UNKNOWN]
    (work / "w.yaml").write_text(yaml.safe_dump({"steps": steps}))
    said = batchwork("validate", "w.yaml", expect=2).stderr
    for name in UNKNOWN:
        assert f"there is no `{name}`" in said
