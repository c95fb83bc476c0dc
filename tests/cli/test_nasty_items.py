"""Values that break programs which paste or guess: each comes through a command, a Python task or a URL as it went in, or is refused."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from subprocess import CompletedProcess
from urllib.parse import parse_qsl, urlsplit

import pytest
import yaml

from batchwork.template import text_of
from batchwork.text.jsontext import Json, decode

Command = Callable[..., "CompletedProcess[str]"]

OWN = Path(__file__).with_name("nasty_items.jsonl")
SHARED = Path(__file__).resolve().parents[3] / "shared" / "faultkit" / "nasty_items.jsonl"

COMMANDS = {
    "bare": "printf %s {{ item }}",
    "double": 'printf %s "{{ item }}"',
    "single": "printf %s '{{ item }}'",
    "inner": 'x=$(printf %s. {{ item }}); printf %s "${x%.}"',  # `$( )` takes line ends away
    "both": "x=$(printf '%s.' \"{{ item }}\"'{{ item }}'); printf %s \"${x%.}\"",
}


class _Echo(BaseHTTPRequestHandler):
    """Answers with the query that it got."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        query = parse_qsl(urlsplit(self.path).query, keep_blank_values=True, errors="strict")
        body = json.dumps(query).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_args: object) -> None:
        pass


@pytest.fixture
def server() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), _Echo) as listening:
        threading.Thread(target=listening.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()


@pytest.fixture(params=[OWN, SHARED], ids=["own", "shared"])
def source(request: pytest.FixtureRequest) -> Path:
    path: Path = request.param
    if not path.exists():
        pytest.skip("the founding documents (../shared) are not here")
    return path


def step(name: str, source: Path, task: dict[str, object]) -> dict[str, object]:
    """A step that runs `task` for each item of the list."""
    inputs = {
        "items": {"from": "jsonl", "path": str(source)},
        "continue_on_error": True,
        "max_parallel": 8,
        "task": task,
    }
    return {"name": name, "task": "batch", "inputs": inputs}


def outcomes(batchwork: Command, work: Path, steps: list[dict[str, object]]) -> dict[str, list[dict[str, Json]]]:
    """What became of each item, by step, in the order of the list."""
    (work / "w.yaml").write_text(yaml.safe_dump({"steps": steps}))
    batchwork("run", "w.yaml", "--quiet", expect=None)
    found: dict[str, list[dict[str, Json]]] = {}
    for line in batchwork("items", "--json").stdout.splitlines():
        unit = json.loads(line)
        found.setdefault(unit["step"], []).append(unit)
    assert not list(work.rglob("PWN*"))
    return found


def refusals(
    units: list[dict[str, Json]], items: list[Json], arrived: Callable[[Json], Json], sent: Callable[[Json], Json]
) -> dict[str, str]:
    """The messages of the items that were refused; all the others have come through unchanged."""
    assert [unit["index"] for unit in units] == list(range(len(items)))
    refused = {}
    for unit, item in zip(units, items, strict=True):
        assert ascii(unit["item"]) == ascii(item)
        if unit["status"] == "succeeded":
            assert ascii(arrived(unit["result"])) == ascii(sent(item))
        else:
            error = unit["error"]
            assert isinstance(error, dict) and error["type"] == "refused"
            refused[ascii(item)] = str(error["message"])
    return refused


@pytest.mark.fault("F01", "F04")
@pytest.mark.promise("3.22")
def test_through_the_shell(batchwork: Command, work: Path, source: Path) -> None:
    items = [decode(line) for line in source.read_text().splitlines()]
    steps = [step(name, source, {"task": "shell", "command": command}) for name, command in COMMANDS.items()]
    found = outcomes(batchwork, work, steps)
    for name in COMMANDS:
        times = 2 if name == "both" else 1
        refused = refusals(
            found[name],
            items,
            lambda result: result["stdout"],  # type: ignore[index,call-overload]
            lambda item, times=times: text_of(item) * times,  # type: ignore[misc]
        )
        assert list(refused) == [ascii("\0nul")]
        assert "NUL, which cannot be passed to a command" in refused[ascii("\0nul")]


def test_through_standard_input(batchwork: Command, work: Path, source: Path) -> None:
    items = [decode(line) for line in source.read_text().splitlines()]
    task: dict[str, object] = {"task": "shell", "command": "cat", "stdin": "{{ item }}"}
    found = outcomes(batchwork, work, [step("input", source, task)])
    arrived = lambda result: result["stdout"]  # noqa: E731
    given = lambda item: "" if item is None else text_of(item)  # noqa: E731
    assert refusals(found["input"], items, arrived, given) == {}


@pytest.mark.fault("F02", "F04")
@pytest.mark.promise("3.06")
def test_through_python(batchwork: Command, work: Path, source: Path) -> None:
    items = [decode(line) for line in source.read_text().splitlines()]
    found = outcomes(batchwork, work, [step("python", source, {"task": "python", "code": "return item"})])
    assert refusals(found["python"], items, lambda result: result, lambda item: item) == {}


@pytest.mark.fault("F02")
def test_through_urls(batchwork: Command, work: Path, source: Path, server: str) -> None:
    items = [decode(line) for line in source.read_text().splitlines()]
    steps = [
        step("query", source, {"task": "http_request", "url": f"{server}/?a={{{{ item }}}}"}),
        step("params", source, {"task": "http_request", "url": server, "params": {"a": "{{ item }}"}}),
    ]
    found = outcomes(batchwork, work, steps)
    arrived = lambda result: [value for name, value in result["json"] if name == "a"]  # noqa: E731
    refused = refusals(found["query"], items, arrived, lambda item: [text_of(item)])
    assert list(refused) == [ascii("\udcff")] and "half of a character" in refused[ascii("\udcff")]
    # a list repeats the parameter, null leaves it out
    parts: Callable[[Json], Json] = lambda item: (  # noqa: E731
        [text_of(part) for part in item if part is not None]
        if isinstance(item, list)
        else []
        if item is None
        else [text_of(item)]
    )
    refused = refusals(found["params"], items, arrived, parts)
    assert list(refused) == [ascii("\udcff")] and "half of a character" in refused[ascii("\udcff")]


def test_bytes_that_are_not_utf8_go_from_one_command_to_the_next(batchwork: Command, work: Path) -> None:
    (work / "w.yaml").write_text(r"""
steps:
  - name: first
    task: shell
    inputs: {command: "printf 'a\\377\\303\\251'; printf 'no\\377' >&2"}
    outputs: first
  - name: second
    task: shell
    inputs: {command: "printf %s {{ first.stdout }} | od -An -tx1"}
  - name: third
    task: echo
    inputs: {message: "{{ first.stdout }}"}
""")
    said = batchwork("run", "w.yaml").stdout
    assert "a\\udcffé" in said
    units = {unit["step"]: unit for unit in map(json.loads, batchwork("items", "--json").stdout.splitlines())}
    assert units["first"]["result"]["stdout"] == "a\udcffé"
    assert units["second"]["result"]["stdout"].split() == ["61", "ff", "c3", "a9"]
    for words in (("items",), ("results",), ("status",), ("logs", "--step", "first", "")):
        batchwork(*words)


def test_a_written_key_may_have_bytes_that_are_not_utf8(batchwork: Command, work: Path) -> None:
    (work / "l.txt").write_bytes(b"a\xff\nb\n")
    (work / "w.yaml").write_text("""
steps:
  - name: s
    task: batch
    inputs:
      items: {from: lines, path: l.txt}
      key: "k-{{ item }}"
      parallel: false
      task: {type: shell, command: 'echo "$BATCHWORK_KEY $BATCHWORK_IDEMPOTENCY_KEY" >> log; test {{ item }} != b || test -e ok'}
""")
    batchwork("run", "w.yaml", expect=1)
    (work / "ok").touch()
    batchwork("resume")
    first, *others = (work / "log").read_text().splitlines()
    assert first.startswith("k-a\\udcff ") and first.endswith("/k-a\\udcff")
    assert [line.split()[0] for line in others] == ["k-b", "k-b"], "the first is not run again"
    assert "key k-a\\udcff: succeeded" in batchwork("logs", "k-a\\udcff").stdout


def test_the_message_of_a_failure_shows_such_bytes(batchwork: Command, work: Path) -> None:
    (work / "w.yaml").write_text(r"""
steps:
  - name: bad
    task: shell
    inputs: {command: "printf 'caf\\351' >&2; exit 3"}
""")
    done = batchwork("run", "w.yaml", expect=1)
    assert r"caf\xe9" in done.stdout + done.stderr
