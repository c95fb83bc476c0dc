"""Records in PostgreSQL, by the real command: the same as in SQLite, several runs at once, and what cannot be used is said."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import CompletedProcess

import pytest

import postgres
from places import BIN

Command = Callable[..., "CompletedProcess[str]"]

FLOW = r"""
steps:
  - name: mix
    task: batch
    inputs:
      items: ["a", "b'", "ü\u0000x", "fail", 4, {k: "v\n"}, "fail too", "🎉"]
      max_parallel: 2
      continue_on_error: true
      task:
        type: python
        code: |
          import os
          print("hello", item)
          if str(item).startswith("fail") and not os.path.exists("mended"):
              raise ValueError(item)
          return [item, len(str(item))]
  - name: pairs
    task: batch
    inputs:
      items: {from: range, stop: 100}
      batch_size: 10
      each: batch
      task: {type: python, code: "return sum(batch.items)"}
  - name: last
    task: shell
    inputs: {command: "echo {{ steps.mix.aggregate.failed | default('done') }}"}
"""


@pytest.fixture
def url(postgres_server: postgres.Server) -> str:
    return postgres_server.schema()


def said(text: str) -> str:
    """What a command says, without what differs from run to run."""
    text = re.sub(r"\d+(\.\d+)? (µs|ms|s)\b|[\d.,]+/s|python/\d+|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d", "…", text)
    text = re.sub(r"CPU.*|machine .*|speed .*|store  .*|\s+--store '?\S+", "", text)
    return re.sub(r"[ \t]+", " ", text)


def without_times(text: str) -> list[object]:
    """Rows of JSON without what differs from run to run."""
    gone = {"started", "ended", "duration", "duration_ms", "worker", "store", "took_ms", "machine", "started_at"}

    def cleaned(value: object) -> object:
        if isinstance(value, dict):
            return {name: cleaned(part) for name, part in value.items() if name not in gone}
        return [cleaned(part) for part in value] if isinstance(value, list) else value

    return [cleaned(json.loads(line)) for line in text.splitlines()]


@pytest.mark.fault("J10")
def test_all_commands_say_the_same_as_over_sqlite(batchwork: Command, work: Path, url: str) -> None:
    (work / "w.yaml").write_text(FLOW)
    told: dict[str, list[object]] = {}
    for store in ("s.db", url):
        (work / "mended").unlink(missing_ok=True)
        there = told.setdefault(store, [])

        def command(*words: str, expect: int | None = 0, store: str = store) -> str:
            done = batchwork(*words, expect=expect, env={"BATCHWORK_STORE": store})
            return done.stdout

        there.append(said(command("run", "w.yaml", "--run-id", "r1", expect=None)))
        there.append(said(command("status", "r1")))
        there.append(without_times(command("items", "r1", "--step", "mix", "--json")))
        there.append(without_times(command("items", "r1", "--step", "pairs", "--json")))
        there.append(said(command("errors", "r1")))
        there.append(command("results", "r1", "--step", "mix", "--format", "jsonl"))
        there.append(said(command("logs", "r1", "fail")))
        (work / "mended").touch()
        there.append(said(command("retry", "r1")))
        there.append(command("results", "r1", "--step", "mix", "--format", "jsonl"))
        there.append(said(command("resume", "r1", expect=None)))
        command("run", "w.yaml", "--run-id", "r2", "--quiet")
        there.append(re.sub(r"\S+ …", "", said(command("runs"))))
        completion = {"_BATCHWORK_COMPLETE": "bash_complete", "COMP_WORDS": "batchwork status ", "COMP_CWORD": "2"}
        there.append(batchwork(env={"BATCHWORK_STORE": store, **completion}).stdout)
        there.append(command("clean", "r1").split(",")[0])
        there.append(command("runs", "--json").count("\n"))
    assert told["s.db"] == told[url]


def test_logs_and_folders_of_runs_are_beside_the_workflow(batchwork: Command, work: Path, url: str) -> None:
    (work / "w.yaml").write_text(FLOW)
    (work / "mended").touch()
    batchwork("run", "w.yaml", "--run-id", "r1", "--store", url, "--quiet")
    assert sorted(os.listdir(work / ".batchwork")) == [".gitignore", "logs", "postgres", "runs"]
    assert (work / ".batchwork").stat().st_mode & 0o777 == 0o700
    batchwork("clean", "r1", "--store", url)
    assert os.listdir(work / ".batchwork" / "runs") == os.listdir(work / ".batchwork" / "logs") == []


def test_several_runs_share_a_database(
    batchwork: Command, work: Path, url: str, environ: Mapping[str, str], postgres_server: postgres.Server
) -> None:
    (work / "w.yaml").write_text(
        "steps:\n  - {name: s, task: batch, inputs: {items: {from: range, stop: 20000}, "
        "task: {type: python, code: 'return item * 2'}}}\n"
    )
    words = [str(BIN / "batchwork"), "run", "w.yaml", "--quiet", "--store", url]
    runs = [subprocess.Popen([*words, "--run-id", f"r{number}"], env=environ) for number in range(4)]
    assert [run.wait(120) for run in runs] == [0] * 4
    for number in range(4):
        results = batchwork("results", f"r{number}", "--step", "s", "--format", "jsonl", "--store", url).stdout
        assert [json.loads(line)["result"] for line in results.splitlines()] == [2 * item for item in range(20000)]


@pytest.mark.fault("I02", "I04")
def test_a_run_is_owned_and_a_killed_owner_is_followed_at_once(
    batchwork: Command, work: Path, url: str, environ: Mapping[str, str], wait_for: Callable[..., None]
) -> None:
    (work / "w.yaml").write_text(
        "steps:\n  - {name: s, task: batch, inputs: {items: {from: range, stop: 40}, max_parallel: 1, "
        "task: {type: shell, command: 'echo {{ item }} >> ledger; test {{ item }} -lt 6 || test -e go || sleep 60'}}}\n"
    )
    ledger = work / "ledger"
    words = [str(BIN / "batchwork"), "run", "w.yaml", "--quiet", "--run-id", "r1", "--store", url]
    owner = subprocess.Popen(words, env=environ, stderr=subprocess.DEVNULL)
    wait_for(lambda: ledger.exists() and len(ledger.read_text().split()) > 5, "some items")
    refused = batchwork("resume", "r1", "--store", url, expect=4).stderr
    assert f"run r1 is being worked on by process {owner.pid} on " in refused
    assert '"status":"running"' in batchwork("runs", "--json", "--store", url).stdout.replace(" ", "")
    owner.kill()
    assert owner.wait() == -signal.SIGKILL
    assert "crashed" in batchwork("runs", "--store", url).stdout
    (work / "go").touch()
    batchwork("resume", "r1", "--store", url, "--quiet")
    done = ledger.read_text().split()
    assert set(done) == {str(number) for number in range(40)}
    assert len(done) <= 42


# ---------------------------------------------------------------- what cannot be used

SECRET = "ge%2Bheim-7731"


@pytest.mark.fault("J01", "N17")
@pytest.mark.parametrize(
    ("address", "says"),
    [
        ("u:{password}@127.0.0.1:1/db", "port 1 failed: Connection refused"),
        ("locked:{password}@/postgres?host={host}", "password authentication failed"),
        ("postgres:{password}@/nowhere?host={host}", 'database "nowhere" does not exist'),
        ("nobody:{password}@/postgres?host={host}", 'role "nobody" does not exist'),
        ("u@h/db?password={password}&colour=red", 'invalid URI query parameter: "colour"'),
        ("u:{password}@h/db?schema=A;B", "cannot be the schema of a store"),
        ("u:{password}@[nonsense/db", "cannot be used"),
        ("u:a/{password}@h/db?schema=x", "cannot be"),
        ("postgres:{password}@/latin?host={host}", "encoding LATIN1"),
    ],
)
def test_a_server_that_cannot_be_used_is_an_error_without_the_password(
    batchwork: Command, work: Path, postgres_server: postgres.Server, address: str, says: str
) -> None:
    postgres_server.execute("drop role if exists locked")
    postgres_server.execute("create role locked login password 'other'")
    if "latin" in address and not postgres_server.execute("select 1 from pg_database where datname = 'latin'"):
        postgres_server.execute("create database latin encoding 'LATIN1' locale 'C' template template0")
    (work / "w.yaml").write_text("steps: [{name: s, task: echo, inputs: {message: x}}]\n")
    url = "postgresql://" + address.format(password=SECRET, host=postgres_server.host)
    done = batchwork("run", "w.yaml", env={"BATCHWORK_STORE": url}, expect=4)
    assert says in done.stderr
    assert "\n    " in done.stderr, "it says what to do"
    assert "Traceback" not in done.stderr
    for secret in (SECRET, "ge+heim-7731"):
        assert secret not in done.stdout + done.stderr


@pytest.mark.fault("N17")
def test_passwords_are_in_no_record_and_who_gives_one_on_the_command_line_is_warned(
    batchwork: Command, work: Path, postgres_server: postgres.Server
) -> None:
    (work / "w.yaml").write_text("steps: [{name: s, task: shell, inputs: {command: 'exit 3'}}]\n")
    url = f"postgresql://postgres:{SECRET}@/postgres?host={postgres_server.host}&schema=shy"
    done = batchwork("run", "w.yaml", "--store", url, expect=1)
    assert "everybody on this machine can see the password" in done.stderr
    quiet = batchwork("run", "w.yaml", env={"BATCHWORK_STORE": url}, expect=1)
    assert "everybody" not in quiet.stderr
    status = batchwork("status", env={"BATCHWORK_STORE": url})
    assert "postgresql://postgres:***@/postgres" in status.stdout
    printed = done.stdout + done.stderr + quiet.stdout + quiet.stderr + status.stdout
    dump = "".join(
        str(postgres_server.execute(f"select row_to_json({table})::text from shy.{table}"))
        for table in ("run", "step", "unit", "log", "lease")
    )
    files = "".join(file.read_text() for file in (work / ".batchwork").rglob("*") if file.is_file())
    for secret in (SECRET, "ge+heim-7731"):
        assert secret not in printed + dump + files


@pytest.mark.fault("J07")
def test_a_user_who_may_make_no_schema_is_told_what_to_grant(
    batchwork: Command, work: Path, postgres_server: postgres.Server, url: str
) -> None:
    (work / "w.yaml").write_text("steps: [{name: s, task: echo, inputs: {message: x}}]\n")
    schema = url.rpartition("=")[2]
    postgres_server.execute("drop role if exists poor")
    postgres_server.execute("create role poor login")
    mine = f"postgresql://poor@/postgres?host={postgres_server.host}&schema={schema}"
    refused = batchwork("run", "w.yaml", "--store", mine, expect=4).stderr
    assert "permission denied for database postgres" in refused
    assert f"create schema {schema} authorization USER" in refused
    postgres_server.execute(f"create schema {schema} authorization poor")
    batchwork("run", "w.yaml", "--store", mine)
    postgres_server.execute(f"drop schema {schema} cascade; drop role poor")


@pytest.mark.fault("J07")
def test_a_newer_schema_and_one_of_another_program_are_refused_and_left_alone(
    batchwork: Command, work: Path, postgres_server: postgres.Server, url: str
) -> None:
    (work / "w.yaml").write_text("steps: [{name: s, task: echo, inputs: {message: x}}]\n")
    schema = url.rpartition("=")[2]
    postgres_server.execute(f"create schema {schema}; create table {schema}.run (x int)")
    assert "belongs to another program" in batchwork("run", "w.yaml", "--store", url, expect=4).stderr
    postgres_server.execute(f"drop table {schema}.run")
    assert "nothing has been stored in" in batchwork("resume", "r1", "--store", url, expect=4).stderr
    batchwork("run", "w.yaml", "--store", url)
    postgres_server.execute(f"update {schema}.store set version = 999")
    for words in (("run", "w.yaml"), ("status",), ("resume",)):
        said = batchwork(*words, "--store", url, expect=4).stderr
        assert "made by a newer version of batchwork (its version is 999" in said


@pytest.mark.fault("J07")
def test_a_server_that_only_reads_is_an_error(
    batchwork: Command, work: Path, postgres_server: postgres.Server, url: str
) -> None:
    (work / "w.yaml").write_text("steps: [{name: s, task: echo, inputs: {message: x}}]\n")
    batchwork("run", "w.yaml", "--store", url)
    postgres_server.execute("drop role if exists careful")
    postgres_server.execute("create role careful superuser login")
    postgres_server.execute("alter role careful set default_transaction_read_only = on")
    careful = url.replace("postgres:@", "careful@")
    said = batchwork("run", "w.yaml", "--store", careful, expect=4).stderr
    assert "is read-only: cannot execute" in said
    assert "succeeded" in batchwork("status", "--store", careful).stdout


def test_what_an_administrator_sets_for_statements_does_not_end_them(
    batchwork: Command, work: Path, postgres_server: postgres.Server, url: str
) -> None:
    (work / "mended").touch()
    (work / "w.yaml").write_text(FLOW)
    postgres_server.execute("drop role if exists hasty")
    postgres_server.execute("create role hasty superuser login")
    for setting in ("statement_timeout = 100", "idle_in_transaction_session_timeout = 200", "lock_timeout = 1"):
        postgres_server.execute(f"alter role hasty set {setting}")
    postgres_server.execute("alter role hasty set default_transaction_isolation = 'serializable'")
    batchwork("run", "w.yaml", "--quiet", "--store", url.replace("postgres:@", "hasty@"))
