"""Credentials that a workflow holds without declaring them are seen nowhere but in its file, wherever they stand in it."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any
from urllib.parse import quote

import pytest
from canaries import found, in_folder

from batchwork.errors import WorkflowError
from batchwork.plan.knowns import Circumstances
from batchwork.plan.resolve import load_plan

Command = Callable[..., "CompletedProcess[str]"]
BIN = Path(sys.executable).parent


def canary(place: str) -> str:
    """A credential for each place: where it has none of its own form, with characters that each form writes differently."""
    text = f"cnry-{place.replace(' ', '-').replace(',', '')}-7Zq9xPPpLonger"
    return text if place in ASCII_ONLY else f"{text}+ü&/'"


ASCII_ONLY = frozenset({
    "authorization", "a token alone", "an api key", "another key", "a token header", "a cookie", "bearer", "a url", "an item",
    "a default", "a default in a header", "env", "a handler", "on_error", "notify",
})  # fmt: skip
OTHER = "another-9876-zyxwvu"
SAYING = (
    "import base64, json, sys, urllib.parse\n"
    "t = bytes.fromhex(item).decode()\n"
    "b = t.encode()\n"
    "print(t, urllib.parse.quote(t, safe=''), json.dumps(t), b.hex())\n"
    "print(*(base64.b64encode(b'x' * n + b).decode() for n in range(3)))\n"
    "if index % 2: raise ValueError('no ' + t)\n"
    "return {'t': t, 'u': urllib.parse.quote_plus(t)}\n"
)
"""Says a credential in every form: what is said is masked, whoever says it."""


def http(**fields: Any) -> dict[str, Any]:
    return {"task": "http_request", "on_error": "continue", "inputs": {"url": "http://127.0.0.1:9/", **fields}}


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def places(of: Callable[[str], str]) -> dict[str, dict[str, Any]]:
    """What stands in a workflow for each place: a step, and what else it needs."""
    return {
        "authorization": http(headers={"Authorization": f"Bearer {of('authorization')}"}),
        "a token alone": http(headers={"authorization": of("a token alone")}),
        "basic": http(headers={"Authorization": basic("me", of("basic"))}),
        "an api key": http(headers={"X-API-Key": of("an api key"), "Accept": "text/plain"}),
        "another key": http(headers={"Ocp-Apim-Subscription-Key": [of("another key")]}),
        "a token header": http(headers={"PRIVATE-TOKEN": of("a token header")}),
        "a cookie": http(headers={"Cookie": f"theme=dark; sid={of('a cookie')}"}),
        "auth": http(auth={"username": "me", "password": of("auth")}),
        "auth as a list": http(auth=["me", of("auth as a list")]),
        "bearer": http(auth={"bearer": of("bearer")}),
        "a url": http(url=f"http://me:{of('a url')}@127.0.0.1:9/x"),
        "a url, encoded": http(url=f"http://me:{quote(of('a url, encoded'), safe='')}@127.0.0.1:9/x"),
        "an item": {"for_each": [f"postgres://me:{of('an item')}@h/db"], "task": "echo", "inputs": {"message": "x"}},
        "a default": {**http(params={"to": "{{ dsn }}"}), "params": {"dsn": f"postgres://me:{of('a default')}@h/db"}},
        "a default in auth": {**http(auth=["me", "{{ params.pw }}"]), "params": {"pw": of("a default in auth")}},
        "a default in a header": {**http(headers={"X-Api-Key": "{{ t }}"}), "params": {"t": of("a default in a header")}},
        "auth as a parameter": {**http(auth="{{ params.a }}"), "params": {"a": ["me", of("auth as a parameter")]}},
        "env": {**http(headers={"Authorization": "Bearer {{ env.KEY }}"}), "env": {"KEY": of("env")}},
        "a handler": {"task": "batch", "inputs": {
            "items": [1], "task": {"type": "echo", "message": "x"}, "on_item_error": http(headers={"X-API-Key": of("a handler")}),
        }},
        "on_error": {"task": "shell", "inputs": {"command": "true"}, "on_error": http(auth={"bearer": of("on_error")})},
        "notify": {**http(), "notify": [{"on": ["finished"], "url": f"http://me:{of('notify')}@127.0.0.1:9/n"}]},
    }  # fmt: skip


ALL = tuple(places(canary))


def flow_of(these: Mapping[str, dict[str, Any]], *further: dict[str, Any]) -> dict[str, Any]:
    """One workflow with all of them."""
    flow: dict[str, Any] = {"params": {}, "env": {}, "notify": [], "steps": []}
    for number, place in enumerate(these.values()):
        step = {name: value for name, value in place.items() if name not in flow}
        step.get("on_error") == "continue" or step.get("on_error", {}).pop("on_error", None)
        step.get("inputs", {}).get("on_item_error", {}).pop("on_error", None)
        flow["steps"].append({"name": f"s{number}", **step})
        for name in ("params", "env"):
            flow[name] |= place.get(name, {})
        flow["notify"] += place.get("notify", [])
    flow["steps"] += further
    return flow


COMMANDS = (
    ("validate", "w.yaml"), ("plan", "w.yaml"), ("run", "w.yaml", "--run-id", "r"), ("status",), ("status", "--json"),
    ("runs",), ("runs", "--json"), ("items",), ("items", "--json"), ("errors",), ("errors", "--json"),
    ("results", "--step", "say"), ("results", "--step", "say", "--format", "jsonl"), ("logs", "r", "0"), ("logs", "r", "1"),
    ("resume", "--plan"), ("resume",), ("retry",),
)  # fmt: skip


def test_credentials_are_nowhere_but_in_the_file(batchwork: Command, work: Path) -> None:
    items = [canary(place).encode().hex() + "0a" * odd for place in ALL for odd in (0, 1)]
    say = {
        "name": "say", "task": "batch",
        "inputs": {"items": items, "key": "{{ index }}", "continue_on_error": True, "task": {"type": "python", "code": SAYING}},
    }  # fmt: skip
    (work / "w.yaml").write_text(json.dumps(flow_of(places(canary), say), ensure_ascii=False))
    for words in COMMANDS:
        done = batchwork(*words, expect=None)
        assert "Traceback (most recent call last)" not in done.stderr, words
        said = f"{done.stdout}\n{done.stderr}".encode()
        assert [place for place in ALL if found(said, canary(place))] == [], words
    assert {place: seen for place in ALL if (seen := in_folder(work / ".batchwork", canary(place)))} == {}
    told = [json.loads(line) for line in batchwork("items", "--json", "--step", "say").stdout.splitlines()]
    assert [unit["status"] for unit in told] == ["succeeded", "failed"] * len(ALL)
    for unit in told[::2]:
        assert unit["result"] == {"t": "***", "u": "***"}
    for unit in told[1::2]:
        assert "no ***" in unit["error"]["message"]


def test_a_change_is_told_without_either_credential(batchwork: Command, work: Path) -> None:
    """Also where the credential is another one now, which by itself is no change."""

    def other(place: str) -> str:
        return f"{OTHER}-{ALL.index(place)}"

    def write(of: Callable[[str], str], command: str) -> None:
        fails = {"name": "fails", "task": "shell", "inputs": {"command": command}}
        (work / "w.yaml").write_text(json.dumps(flow_of(places(of), fails), ensure_ascii=False))

    write(canary, "exit 1")
    batchwork("run", "w.yaml", expect=1)
    write(other, "exit 2")
    done = batchwork("resume", expect=4)
    said = f"{done.stdout}\n{done.stderr}".encode()
    assert [place for place in ALL if found(said, canary(place)) or found(said, other(place))] == []
    assert b"`command` was" in said and said.count(b" was ") == 1, "only the command is another"
    write(other, "exit 1")
    batchwork("resume", expect=1)
    for of in (canary, other):
        assert {place: seen for place in ALL if (seen := in_folder(work / ".batchwork", of(place)))} == {}


@pytest.mark.parametrize(
    "place", [place for place in ALL if place != "env" and " parameter" not in place and "in a" not in place]
)
def test_a_mistake_beside_a_credential_is_shown_without_it(place: str) -> None:
    """Where it can be told from the file alone: its values are known only when a plan can be made of it."""
    text = json.dumps(flow_of({place: places(canary)[place]}), ensure_ascii=False)
    for broken in (text.replace('"name": ', '"nmae": ', 1), text[:-1], text.replace("{", "{,", 1)):
        with pytest.raises(WorkflowError) as caught:
            load_plan("w.yaml", broken, Circumstances([], None, {}, None, 2, lenient=True))
        assert found(str(caught.value).encode(), canary(place)) == []


# ---------------------------------------------------------------- defaults, after a crash

PASSWORD = "cnry-7Zq9xPPpLonger"
DEFAULTS = """
params: {{dsn: "postgres://me:{password}@{host}/db", pw: {password}x}}
steps:
  - name: s
    task: batch
    inputs:
      items: [1, 2]
      max_parallel: 1
      task: {{type: shell, command: "echo {{{{ item }}}} >> ran; test {{{{ item }}}} = 1 -o -e ok || sleep 60"}}
  - {{name: t, task: shell, inputs: {{command: "test {{{{ dsn }}}} = postgres://me:{password}@h/db"}}}}
  - {{name: u, task: http_request, on_error: continue, inputs: {{url: "http://127.0.0.1:9/", auth: [me, "{{{{ pw }}}}"]}}}}
"""


@pytest.fixture
def killed(work: Path, environ: Mapping[str, str], wait_for: Callable[..., None]) -> Callable[..., None]:
    """A run of DEFAULTS that was killed while its second item ran."""

    def run(*words: str) -> None:
        (work / "w.yaml").write_text(DEFAULTS.format(password=PASSWORD, host="h"))
        ran = work / "ran"
        with (work / "said").open("w") as said:
            command = [f"{BIN}/batchwork", "run", "w.yaml", "--quiet", *words]
            process = subprocess.Popen(command, cwd=work, env=environ, stdout=said, stderr=said)
            wait_for(lambda: ran.exists() and len(ran.read_text().splitlines()) == 2, "the second item to start")
            process.kill()
            process.wait()
        (work / "ok").touch()

    return run


def test_a_run_with_a_password_as_a_default_goes_on_after_a_crash(
    batchwork: Command, killed: Callable[..., None], work: Path
) -> None:
    killed()
    batchwork("resume", expect=3)
    status = json.loads(batchwork("status", "--json").stdout)
    assert status["steps"]["s"]["counts"]["succeeded"] == 2 and status["steps"]["t"]["status"] == "succeeded"
    assert in_folder(work / ".batchwork", PASSWORD) == []


def test_another_password_is_taken_from_the_file_and_another_default_refused(
    batchwork: Command, killed: Callable[..., None], work: Path
) -> None:
    killed()
    (work / "w.yaml").write_text(DEFAULTS.format(password=PASSWORD, host="elsewhere"))
    done = batchwork("resume", expect=4)
    assert "the default of a parameter is another one now" in done.stderr and "elsewhere" in done.stderr
    assert PASSWORD not in done.stderr
    shutil.move(work / "w.yaml", work / "gone.yaml")
    assert "holds a password, which is not stored" in batchwork("resume", expect=4).stderr
    (work / "w.yaml").write_text(DEFAULTS.format(password=OTHER, host="h"))
    batchwork("resume", expect=3)
    assert in_folder(work / ".batchwork", PASSWORD) == in_folder(work / ".batchwork", OTHER) == []


def test_a_password_that_was_given_cannot_be_taken_from_the_default(
    batchwork: Command, killed: Callable[..., None], work: Path
) -> None:
    """They look alike in the store, and are two."""
    killed(f"dsn=postgres://me:{OTHER}@h/db")
    done = batchwork("resume", expect=4)
    assert "the parameter `dsn` holds a password, which is not stored" in done.stderr
    assert in_folder(work / ".batchwork", OTHER) == []
