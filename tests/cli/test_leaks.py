"""Secrets at the level of the real command: nowhere in the state folder, on the terminal or in an argument list, whatever a task does with them."""

from __future__ import annotations

import gzip
import json
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from subprocess import CompletedProcess

import pyarrow.parquet
import pytest
from canaries import cells, found

Command = Callable[..., "CompletedProcess[str]"]

TOKEN = "cnry\"7/+ü&<Zq9x'PPp-" + "Long" * 20
SET = {"MY_TOKEN": TOKEN}

FLOW = r"""
name: leaky
secrets: [MY_TOKEN]
params: {given: none, url: none}
env: {COPY: "x{{ env.MY_TOKEN }}"}
steps:
  - name: commands
    task: batch
    inputs:
      items: [plain, b64, b64a, b64b, wrapped, url, json, hex, od, split, errors, fail, cut]
      max_parallel: 4
      continue_on_error: true
      retry: {max_attempts: 2}
      on_item_error: {task: shell, inputs: {command: 'echo "{{ error }} $MY_TOKEN" >&2; exit 1'}}
      task:
        type: shell
        capture_limit: 4000
        command: |
          python3 - {{ item }} <<'END'
          import base64, json, os, sys, time, urllib.parse
          kind, t = sys.argv[1], os.environ["MY_TOKEN"]
          b = t.encode()
          if kind == "plain": print(t, repr(t), ascii(t), repr(b))
          if kind == "b64": print(base64.b64encode(b).decode())
          if kind == "b64a": print(base64.b64encode(b"a" + b + b"zz").decode())
          if kind == "b64b": print(base64.b64encode(b"ab" + b + b"zz").decode())
          if kind == "wrapped": print(base64.encodebytes(b"user:" + b).decode())
          if kind == "url": print(urllib.parse.quote(t, safe=""), urllib.parse.quote_plus(t))
          if kind == "json": print(json.dumps({"t": t}), json.dumps(json.dumps([t])))
          if kind == "hex": print(b.hex(), b.hex().upper())
          if kind == "od": print(b.hex(" "))
          if kind == "split":
              for c in t: sys.stdout.write(c); sys.stdout.flush(); time.sleep(0.001)
          if kind == "errors": print(t, file=sys.stderr)
          if kind == "fail": sys.exit("bad " + t)
          if kind == "cut": print("y" * 1970 + t + "y" * 4000 + t + "z" * 1950)
          END
  - name: code
    task: batch
    inputs:
      items: [result, raise, chained, print, key, late]
      continue_on_error: true
      on_item_error: {task: echo, inputs: {message: "{{ env[env.MY_TOKEN] }}"}}
      task:
        type: python
        code: |
          import os, sys
          t = env["MY_TOKEN"]
          if item == "result": return [t, {"a": t.encode().hex()}]
          if item == "raise": raise ValueError("bad " + t)
          if item == "late": raise ValueError("y" * 3990 + t)
          if item == "chained":
              try:
                  raise KeyError(t)
              except KeyError as x:
                  raise RuntimeError({"t": t.encode()}) from x
          if item == "print": print(t); print(t, file=sys.stderr); os.system('echo "sub $MY_TOKEN"')
          if item == "key": return {t: 1}
  - name: items
    task: batch
    inputs:
      items: ["{{ env.MY_TOKEN }}", "a{{ env.MY_TOKEN }}b", "{{ params.given }}", "{{ params.url }}"]
      continue_on_error: true
      task: {type: shell, command: "echo {{ item }} {{ env.COPY }}; cat; sleep 0.1; exit 1", stdin: "{{ item }}"}
  - name: argv
    task: batch
    inputs:
      items: ["{{ env.MY_TOKEN }}"]
      continue_on_error: true
      task: {type: shell, argv: [sleep, "{{ item }}"]}
  - name: keyed
    task: batch
    inputs:
      items: [1, 2]
      key: "k{{ item }}{{ env.MY_TOKEN }}"
      task: {type: echo, inputs: {message: "m {{ item }} {{ env.MY_TOKEN }}"}}
  - name: choice
    task: echo
    on_error: continue
    when: "{{ env.MY_TOKEN }}"
    inputs: {message: x}
  - name: source
    task: echo
    on_error: continue
    for_each: $(echo "e $MY_TOKEN" >&2; exit 4)
    inputs: {message: x}
  - name: requests
    task: batch
    on_error: continue
    inputs:
      items: [1]
      continue_on_error: true
      task:
        type: http_request
        url: "http://user:{{ env.MY_TOKEN }}@127.0.0.1:9/x"
        headers: {X-Token: "{{ 'a' if item else env.MY_TOKEN }}"}
        params: {token: "{{ env.MY_TOKEN }}"}
  - name: last
    task: shell
    inputs: {command: 'echo "$MY_TOKEN" >&2; exit 9'}
    on_error: {task: echo, inputs: {message: "{{ env[env.MY_TOKEN] }}"}}
finally:
  - name: end
    task: echo
    inputs: {message: "{{ env.MY_TOKEN }}"}
notify:
  - {on: [finished], command: 'echo "n $MY_TOKEN" >&2; exit 1'}
"""


def places(octets: bytes) -> list[bytes]:
    return found(octets, TOKEN)


@contextmanager
def watched_arguments() -> Iterator[list[bytes]]:
    """The argument lists with the secret in them that are seen meanwhile."""
    seen: list[bytes] = []
    over = threading.Event()

    def watch() -> None:
        while not over.wait(0.002):
            for entry in os.listdir("/proc"):
                if entry.isdigit() and int(entry) != os.getpid():
                    try:
                        arguments = Path(f"/proc/{entry}/cmdline").read_bytes()
                    except OSError:
                        continue
                    if places(arguments):
                        seen.append(arguments)

    thread = threading.Thread(target=watch)
    thread.start()
    try:
        yield seen
    finally:
        over.set()
        thread.join()


@pytest.mark.fault("N01")
@pytest.mark.promise("10.13")
@pytest.mark.parametrize("executor", ["local", "command:echo {1,2} >&2; exec {agent} --slots 2"], ids=["here", "nodes"])
def test_a_secret_is_seen_nowhere(batchwork: Command, work: Path, executor: str) -> None:
    there = {**SET, "BATCHWORK_EXECUTOR": executor}
    (work / "w.yaml").write_text(FLOW)
    (work / "given.json").write_text(json.dumps({"given": TOKEN, "url": f"postgres://me:{TOKEN}@host/db"}))
    with watched_arguments() as seen:
        shown = [
            batchwork(*words, expect=None, env=there)
            for words in (
                ("validate", "w.yaml"),
                ("plan", "w.yaml"),
                ("run", "w.yaml", "--params-file", "given.json"),
                ("status",),
                ("items",),
                ("items", "--json"),
                ("errors",),
                ("errors", "--json"),
                ("results", "--format", "jsonl"),
                ("logs", "fail"),
                ("logs", "print"),
                ("logs", "raise"),
                ("resume", "--plan"),
            )
        ]
    assert not seen
    for done in shown:
        assert "Traceback (most recent call last)" not in done.stderr
        assert not places(f"{done.stdout}\n{done.stderr}".encode())
    for path in (work / ".batchwork").rglob("*"):
        if path.is_file():
            assert not places(path.read_bytes()), path
        assert path.stat().st_mode & 0o077 == 0, path
    assert not any(map(places, cells(work / ".batchwork" / "state.db")))
    units = [json.loads(line) for line in shown[5].stdout.splitlines()]
    told = {(unit["step"], unit["item"]): unit for unit in units if not isinstance(unit["item"], list)}
    assert told["commands", "plain"]["result"]["stdout"].startswith("*** ")
    assert told["commands", "split"]["result"]["stdout"] == "***"
    assert told["commands", "cut"]["result"]["stdout"].startswith("y" * 1970 + "***\n… ")
    assert told["code", "result"]["result"] == ["***", {"a": "***"}]
    assert told["argv", "***"]["error"]["type"] == "refused"
    assert (len(units), sum(unit["step"] == "commands" for unit in units)) == (13 + 6 + 4 + 1 + 2 + 1 + 2, 13)


def test_nodes_get_the_environment_of_the_workflow_and_nothing_else_of_this_machine(
    batchwork: Command, work: Path
) -> None:
    """A node that starts with nothing has what the workflow declares, and its secrets; the letter stands nowhere."""
    (work / "w.yaml").write_text("""
secrets: [MY_TOKEN]
env: {DECLARED: "d-{{ run.id }}", COPY: "x{{ env.MY_TOKEN }}"}
steps:
  - name: python
    task: batch
    inputs:
      items: [1, 2, 3, 4]
      max_parallel: 2
      task: {type: python, code: "import os; return [sorted(os.environ), os.environ['MY_TOKEN'] + os.environ['COPY']]"}
  - name: shell
    task: batch
    inputs:
      items: [1, 2, 3, 4]
      max_parallel: 2
      task: {type: shell, command: "env | cut -d= -f1; sleep 0.2"}
""")
    agent = "tee letter | env -i PATH=/usr/bin:/bin {agent} --slots 2"
    other = "canary-of-this-machine-" + "0123456789" * 3
    with watched_arguments() as seen:
        done = batchwork("run", "w.yaml", "--executor", f"command:{agent}", env={**SET, "OTHER_CANARY": other})
    assert not seen
    units = [json.loads(line) for line in batchwork("items", "--json", env=SET).stdout.splitlines()]
    assert len(units) == 8
    for unit in units:
        names = unit["result"][0] if unit["step"] == "python" else unit["result"]["stdout"].split()
        assert {"MY_TOKEN", "DECLARED", "COPY"} <= set(names)
        assert not {"OTHER_CANARY", "BATCHWORK_STORE", "HOME", "NO_COLOR"} & set(names)
    letter = json.loads((work / "letter").read_text(encoding="utf-8"))
    assert not places((work / "letter").read_bytes())
    written = [path.read_bytes() for path in (work / ".batchwork").rglob("*") if path.is_file()]
    written += [
        cell if isinstance(cell, bytes) else str(cell).encode() for cell in cells(work / ".batchwork" / "state.db")
    ]
    for text in [*written, done.stdout.encode(), done.stderr.encode()]:
        assert letter["token"].encode() not in text and not places(text)


def test_the_letter_and_the_tokens_of_nodes_stand_in_no_argument_list_and_no_environment(
    batchwork: Command, work: Path
) -> None:
    (work / "w.yaml").write_text("""
steps:
  - name: look
    task: batch
    inputs:
      items: [1, 2]
      max_parallel: 2
      task:
        type: python
        code: |
          import glob, pathlib
          token = pathlib.Path("letter").read_text().split('"token":"')[1].split('"')[0]
          found = []
          for file in [*glob.glob("/proc/[0-9]*/cmdline"), *glob.glob("/proc/[0-9]*/environ")]:
              try:
                  if token.encode() in pathlib.Path(file).read_bytes():
                      found.append(file)
              except OSError:
                  pass
          return [len(token) > 40, found]
""")
    batchwork("run", "w.yaml", "--executor", "command:tee letter | {agent} --slots 1")
    units = [json.loads(line) for line in batchwork("items", "--json").stdout.splitlines()]
    assert [unit["result"] for unit in units] == [[True, []]] * 2


def test_a_secret_in_what_starts_nodes_is_seen_nowhere(batchwork: Command, work: Path) -> None:
    """What the user writes into the command stands in the list of that command's arguments, and nowhere else."""
    (work / "w.yaml").write_text(
        "secrets: [MY_TOKEN]\n"
        "steps: [{name: a, task: batch, inputs: {items: [1], max_parallel: 2, task: {type: shell, command: echo}}}]\n"
    )
    plain = {"MY_TOKEN": "canary-Zq9xPPp-" + "Long" * 20}
    for end in ("exec {agent}", "exit 7 # {agent}"):
        words = ("run", "w.yaml", "--executor", f"command:echo {plain['MY_TOKEN']} >&2; {end}")
        done = batchwork(*words, expect=None, env=plain)
        assert done.returncode == (0 if "exec" in end else 4)
        assert not found(f"{done.stdout}\n{done.stderr}".encode(), plain["MY_TOKEN"])
    for path in (work / ".batchwork").rglob("*"):
        if path.is_file():
            assert not found(path.read_bytes(), plain["MY_TOKEN"]), path
    assert not any(found(str(cell).encode(), plain["MY_TOKEN"]) for cell in cells(work / ".batchwork" / "state.db"))


def test_a_secret_in_the_text_of_the_workflow_is_in_no_column(batchwork: Command, work: Path) -> None:
    """Also not in the fingerprint, which holds the fields of each step as they are written."""
    flow = {
        "secrets": ["MY_TOKEN"],
        "params": {"given": TOKEN},
        "steps": [
            {
                "name": "one",
                "task": "batch",
                "inputs": {
                    "items": [TOKEN, {"url": f"https://me:{TOKEN}@host/"}],
                    "key": f"{TOKEN}-{{{{ index }}}}",
                    "task": {"type": "echo", "message": f"{TOKEN} {{{{ item }}}}"},
                },
            }
        ],
    }
    (work / "w.yaml").write_text(json.dumps(flow))
    shown = [
        batchwork(*words, expect=None, env=SET)
        for words in (("run", "w.yaml"), ("resume", "--plan"), ("items", "--json"))
    ]
    assert shown[0].returncode == 0, shown[0].stderr
    for done in shown:
        assert not places(f"{done.stdout}\n{done.stderr}".encode())
    assert not any(map(places, cells(work / ".batchwork" / "state.db")))


TABLES = r"""
secrets: [MY_TOKEN]
params: {given: none, key: none}
steps:
  - {name: auth, task: http_request, on_error: continue, inputs: {url: "http://127.0.0.1:9/", auth: {bearer: "{{ key }}"}}}
  - name: s
    task: batch
    inputs:
      items: ["{{ env.MY_TOKEN }}", "{{ params.given }}", c, {"d": "{{ env.MY_TOKEN }}"}]
      continue_on_error: true
      task:
        type: python
        code: |
          import os
          t = os.environ["MY_TOKEN"]
          if index % 2: raise ValueError("bad " + t)
          return {"t": t, "u": [t.encode().hex()]}
      results:
        to: "out/r.ENDING"
        format: FORMAT
        columns:
          r: "{{ result }}"
          t: "{{ result.t }}"
          item: "{{ item }}"
          error: "{{ error }}"
          given: "{{ params.given }}"
          half: "{{ given[:40] }}{{ given[40:] }}"
          made: "{{ {'a': [key, index]} }}"
        failed: {to: out/failed.jsonl}
      aggregate:
        all: {collect: "{{ item }}"}
        given: {collect: "{{ params.given }}"}
        groups: {count: "{{ result.t }}", by: "{{ result.t }}{{ key }}"}
"""
KEY = "cnry-key-0123456789"


@pytest.mark.parametrize("ending", ["jsonl", "csv", "json", "csv.gz", "parquet"])
@pytest.mark.promise("10.13")
def test_a_secret_is_in_no_file_of_results(ending: str, batchwork: Command, work: Path) -> None:
    """Whether a unit said it, an item was it, or a parameter of which a column is made."""
    (work / "w.yaml").write_text(TABLES.replace("ENDING", ending).replace("format: FORMAT", ""))
    (work / "given.json").write_text(json.dumps({"given": TOKEN, "key": KEY}))
    shown = [batchwork("run", "w.yaml", "--params-file", "given.json", expect=3, env=SET)]
    asked = (("--join", "--format", "csv"), ("--columns", "t,u,x={{ item }}"), ("-o", "out/again.json", "--join"))
    shown += [batchwork("results", "--step", "s", *words, env=SET) for words in asked]
    for done in shown:
        assert not places(f"{done.stdout}\n{done.stderr}".encode())
    texts = {path.name: _as_text(path) for path in (work / "out").iterdir()}
    assert set(texts) == {f"r.{ending}", "failed.jsonl", "again.json"}
    for name, text in texts.items():
        assert not places(text), name
        assert not found(text, KEY), name
        assert b"***" in text, name
    assert not any(map(places, cells(work / ".batchwork" / "state.db")))


def _as_text(path: Path) -> bytes:
    octets = path.read_bytes()
    if path.suffix == ".gz":
        return gzip.decompress(octets)
    if path.suffix == ".parquet":
        return json.dumps(pyarrow.parquet.read_table(path).to_pylist()).encode()
    return octets


NAMED = """
secrets: [MY_TOKEN]
params: {given: x}
steps:
  - {name: a, task: batch, inputs: {items: [1], task: {type: echo, message: x}, results: {to: TO}}}
"""


@pytest.mark.parametrize("to", ["'{{ params.given }}.csv'", "r.csv, failed: {to: '{{ params.given }}.jsonl'}"])
def test_a_secret_that_came_as_data_is_in_no_name_of_a_file(to: str, batchwork: Command, work: Path) -> None:
    (work / "w.yaml").write_text(NAMED.replace("TO}", f"{to}}}"))
    done = batchwork("run", "w.yaml", "given=cnry-token-1", expect=1, env={"MY_TOKEN": "cnry-token-1"})
    assert "a secret would stand in the name of the file" in done.stderr
    assert not [path.name for path in work.iterdir() if "cnry" in path.name]


@pytest.mark.parametrize("words", [("--columns", "c={{ env.MY_TOKEN }}"), ("--where", "env.MY_TOKEN")])
def test_results_know_nothing_of_the_environment(words: tuple[str, str], batchwork: Command, work: Path) -> None:
    (work / "w.yaml").write_text("steps: [{name: a, task: echo, for_each: [1], inputs: {message: x}}]\n")
    batchwork("run", "w.yaml")
    done = batchwork("results", *words, expect=2, env=SET)
    assert words[0] in done.stderr
    assert "`env`" in done.stderr
    assert not places(f"{done.stdout}\n{done.stderr}".encode())


@pytest.mark.parametrize(
    "user", ["ghp_0123456789abcdefgh@", "sk_0123456789abcdefgh:@", "ghp_0123456789abcdefgh:x-oauth-basic@"]
)
def test_a_token_that_is_the_user_of_a_url_is_in_no_column(user: str, batchwork: Command, work: Path) -> None:
    token = user.partition(":")[0].strip("@")
    url = f"https://{user}127.0.0.1:9/x"
    (work / "w.yaml").write_text(json.dumps({
        "params": {"given": url, "more": "none"},
        "steps": [
            {"name": "a", "task": "batch", "inputs": {
                "items": [url, {"u": url}, token], "key": f"{url}-{{{{ index }}}}",
                "task": {"type": "echo", "message": f"{url} {{{{ item }}}} {{{{ params.more }}}}"},
            }},
            {"name": "b", "task": "http_request", "on_error": "continue", "inputs": {"url": url}},
        ],
    }))  # fmt: skip
    shown = [batchwork(*words, expect=None) for words in (
        ("plan", "w.yaml"), ("run", "w.yaml", f"more={url}"), ("items", "--json"), ("errors",), ("resume", "--plan"),
    )]  # fmt: skip
    assert shown[1].returncode == 3, shown[1].stderr
    for done in shown:
        assert token not in done.stdout + done.stderr
    assert not any(token.encode() in cell for cell in cells(work / ".batchwork" / "state.db"))


def test_a_parameter_that_is_a_secret_is_not_shown_by_plan(batchwork: Command, work: Path) -> None:
    (work / "w.yaml").write_text(FLOW)
    (work / "given.json").write_text(json.dumps({"given": TOKEN, "url": f"postgres://me:{TOKEN}@host/db"}))
    done = batchwork("plan", "w.yaml", "--params-file", "given.json", env=SET)
    assert not places(f"{done.stdout}\n{done.stderr}".encode())
    assert 'given = "***"' in done.stdout and "postgres://me:***@host/db" in done.stdout


def test_a_wrong_setting_does_not_tell_the_secret(batchwork: Command, work: Path) -> None:
    (work / "w.yaml").write_text("""
secrets: [MY_TOKEN]
params: {n: {type: integer, default: 1}}
steps:
  - name: a
    task: batch
    timeout: "{{ env.MY_TOKEN }}"
    inputs: {items: [1], batch_size: "{{ env.MY_TOKEN }}", task: {type: echo, message: x}}
""")
    (work / "given.json").write_text(json.dumps({"n": TOKEN}))
    for words in (("validate", "w.yaml"), ("run", "w.yaml"), ("run", "w.yaml", "--params-file", "given.json")):
        done = batchwork(*words, expect=2, env=SET)
        assert not places(f"{done.stdout}\n{done.stderr}".encode())
        assert "but it is the text '***…'" in done.stderr  # it is too long to be shown whole


@pytest.mark.fault("N01")
@pytest.mark.parametrize(
    "task",
    [
        'shell, inputs: {argv: [echo, "{{ env.MY_TOKEN }}"]}',
        'shell, inputs: {argv: [echo, "{{ env.COPY }}"]}',
        'shell, inputs: {argv: [echo, "{{ env[params.p] }}"]}',
        'shell, inputs: {command: "echo {{ env.MY_TOKEN | raw }}"}',
        'shell, inputs: {command: "echo {{ [env.MY_TOKEN] | args }}"}',
        'shell, inputs: {command: "true", shell: "bash {{ env.COPY }}"}',
        'echo, for_each: "$(echo {{ env.COPY }})", inputs: {message: x}',
        'echo, inputs: {message: x}, on_error: {task: shell, argv: [echo, "{{ env.MY_TOKEN }}"]}',
    ],
)
@pytest.mark.promise("10.13")
def test_secrets_in_argument_lists_are_refused_beforehand(task: str, batchwork: Command, work: Path) -> None:
    (work / "w.yaml").write_text(
        'secrets: [MY_TOKEN]\nparams: {p: x}\nenv: {COPY: "{{ env.MY_TOKEN }}"}\n'
        f"steps:\n  - {{name: a, task: {task}}}\n"
    )
    done = batchwork("validate", "w.yaml", expect=2)
    assert "w.yaml:5:" in done.stderr
    assert "the secret `MY_TOKEN` would stand in an argument list" in done.stderr


def test_secrets_that_came_as_data_are_kept_out_of_argument_lists(batchwork: Command, work: Path) -> None:
    (work / "w.yaml").write_text("""
secrets: [MY_TOKEN]
params: {p: x}
steps:
  - {name: a, task: shell, on_error: continue, inputs: {command: "echo {{ params.p | raw }}"}}
  - {name: b, task: echo, on_error: continue, for_each: "$(echo {{ params.p }})", inputs: {message: x}}
""")
    (work / "given.json").write_text(json.dumps({"p": TOKEN}))
    end = json.loads(batchwork("run", "w.yaml", "--params-file", "given.json", "--json", expect=3, env=SET).stdout)
    for step in ("a", "b"):
        assert "the secret `MY_TOKEN` would stand in an argument list" in end["steps"][step]["error"]["message"]


@pytest.mark.fault("N02")
def test_secrets_that_are_too_short_are_warned_of_once(batchwork: Command, work: Path) -> None:
    (work / "w.yaml").write_text(
        "secrets: [MY_TOKEN]\nsteps: [{name: a, task: shell, inputs: {command: 'echo $MY_TOKEN banana'}}]\n"
    )
    for words in (("validate", "w.yaml"), ("run", "w.yaml")):
        done = batchwork(*words, env={"MY_TOKEN": "an"})
        assert done.stderr.count("the secret `MY_TOKEN` is too short to be masked") == 1
    assert json.loads(batchwork("items", "--json").stdout)["result"]["stdout"] == "an banana\n"


@pytest.mark.promise("3.25")
def test_plan_says_what_is_pasted(batchwork: Command, work: Path) -> None:
    (work / "w.yaml").write_text("""
params: {xs: [a, b]}
steps:
  - name: a
    task: batch
    inputs:
      items: [x]
      on_item_error: {task: shell, inputs: {command: "echo {{ error.message | raw }}"}}
      task: {type: shell, command: "cat -- {{ params.xs | args }} {{ item }} | {{ item | raw }}"}
""")
    out = batchwork("plan", "w.yaml").stdout
    pasted = [line.split(None, 1)[1] for line in out.splitlines() if line.split()[:1] == ["pasted"]]
    assert pasted == [
        "{{ params.xs | args }}, line 9: as words of their own, each quoted for the shell",
        "{{ item | raw }}, line 9: as it is: what it holds becomes part of the command",
        "{{ error.message | raw }}, line 8: as it is: what it holds becomes part of the command",
    ]
