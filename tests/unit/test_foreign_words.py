"""What other tools call a field gets "did you mean" for ours, at every level of a workflow."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest

from batchwork import plugins
from batchwork.errors import WorkflowError
from batchwork.plan.knowns import Circumstances
from batchwork.plan.resolve import load_plan
from batchwork.spec.field import declared
from batchwork.spec.fields import batch, notify, retry, step, task, workflow
from batchwork.text import foreign
from batchwork.text.spelling import suggest_field

BATCH = {"items": [1], "task": {"type": "echo", "message": "x"}}
HTTP = {"type": "http_request", "url": "http://h/"}
SHELL = {"type": "shell", "command": "true"}


def flow(**fields: Any) -> dict[str, Any]:
    return {"steps": [{"name": "s", "task": "echo", "inputs": {"message": "x"}}], **fields}


def a_step(**fields: Any) -> dict[str, Any]:
    return {"steps": [{"name": "s", "task": "echo", "inputs": {"message": "x"}, **fields}]}


def a_batch(**fields: Any) -> dict[str, Any]:
    return {"steps": [{"name": "s", "task": "batch", "inputs": {**BATCH, **fields}}]}


def a_task(kind: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return {"steps": [{"name": "s", "task": "batch", "inputs": {"items": [1], "task": {**kind, **fields}}}]}


def a_source(**fields: Any) -> dict[str, Any]:
    return a_batch(items={"from": "lines", "path": "x", **fields})


LEVELS: dict[str, tuple[Any, dict[str, str]]] = {
    "workflow": (flow, {
        "variables": "params", "environment": "env", "cleanup": "finally", "always": "finally", "webhook": "notify",
        "title": "name", "tasks": "steps", "jobs": "steps",
    }),
    "step": (a_step, {
        "foreach": "for_each", "with_items": "for_each", "loop": "for_each", "matrix": "for_each", "if": "when",
        "only_if": "when", "needs": "depends_on", "requires": "depends_on", "on_failure": "on_error",
        "register": "outputs", "retries": "retry", "timeout_seconds": "timeout", "ignore_errors": "on_error",
        "with": "inputs",
    }),
    "batch": (a_batch, {
        "parallelism": "max_parallel", "concurrency": "max_parallel", "workers": "max_parallel", "n_jobs": "max_parallel",
        "chunk": "batch_size", "per_batch": "batch_size", "rps": "rate_limit", "throttle": "rate_limit",
        "ignore_errors": "continue_on_error", "keep-going": "continue_on_error", "max_errors": "max_failures",
        "primary_key": "key", "unique_by": "key", "rescue": "on_item_error", "retries": "retry",
    }),
    "http_request": (lambda **fields: a_task(HTTP, **fields), {
        "body": "json", "payload": "json", "verify_ssl": "verify", "validate_certs": "verify", "insecure": "verify",
        "verb": "method", "query": "params", "allow_redirects": "follow_redirects", "bearer": "auth",
        "status_code": "expect_status", "output_file": "save_to", "download_to": "save_to", "files": "multipart",
        "token": "auth", "SSL_VERIFY": "verify",
    }),
    "shell": (lambda **fields: a_task(SHELL, **fields), {
        "cwd": "working_dir", "chdir": "working_dir", "environment": "env", "executable": "shell", "cmd": "command",
        "script": "command", "input": "stdin",
    }),
    "source": (a_source, {"file": "path", "filename": "path"}),
    "retry": (lambda **fields: a_batch(retry={"max_attempts": 2, **fields}), {
        "retries": "max_attempts", "max_retries": "max_attempts", "wait": "delay", "interval": "delay",
        "multiplier": "backoff", "backoff_rate": "backoff", "max_wait": "max_delay", "retry_on": "on",
    }),
}  # fmt: skip
CASES = [(level, theirs, ours) for level, (_, words) in LEVELS.items() for theirs, ours in words.items()]


@pytest.mark.parametrize(("level", "theirs", "ours"), CASES, ids=str)
@pytest.mark.promise("2.15")
def test_the_word_of_another_tool_gets_ours(level: str, theirs: str, ours: str) -> None:
    written = LEVELS[level][0](**{theirs: "x"})
    with pytest.raises(WorkflowError) as caught:
        load_plan("w.yaml", json.dumps(written), Circumstances([], None, {}, None, 2, lenient=True))
    said = str(caught.value)
    assert re.search(rf"no field `{theirs}`|unknown field `{theirs}`", said), said
    assert f"did you mean `{ours}`?" in said, said


def _fields() -> set[str]:
    """All fields that may be written anywhere."""
    kinds = [
        kind
        for module in (batch, notify, retry, step, task, workflow)
        for kind in vars(module).values()
        if isinstance(kind, type) and issubclass(kind, msgspec.Struct)
    ]
    found = {field.name for kind in kinds for field in declared(kind).values()}
    for kind in [plugins.find_task(name) for name in plugins.task_names()]:
        found |= {field.encode_name for field in msgspec.structs.fields(kind.Fields)}
    for source in [plugins.find_source(name) for name in plugins.source_names()]:
        found |= {field.encode_name for field in msgspec.structs.fields(source.Fields)}
    return found


def test_the_table_leads_to_words_that_there_are_and_that_have_no_other_meaning() -> None:
    fields = _fields() | {"inputs", "task", "from", "file"}
    ours = {word for words in foreign._foreign().values() for word in words}
    assert sorted(ours - fields - {"delimiter", "encoding", "separator"}) == []  # of sources that are to come


def test_our_own_word_is_never_answered_by_another() -> None:
    assert suggest_field("retry", ["timeout", "max_attempts"]) == ""
    assert foreign.our_word("delay", ["delay", "backoff"]) is None
    assert foreign.our_word("body", ["url"]) is None
    assert foreign.our_word("body", ["url", "data"]) == "data"
