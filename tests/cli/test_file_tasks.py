"""The task types for files from the command line: real files, names of any bytes, batches, kills, resumes."""

from __future__ import annotations

import json
import os
import signal
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from places import BIN

Command = Callable[..., "CompletedProcess[str]"]


def rows(done: CompletedProcess[str]) -> list[dict[str, object]]:
    return [json.loads(line) for line in done.stdout.splitlines()]


EVERY_TYPE = """
params: {who: world}
steps:
  - name: write
    task: batch
    inputs:
      items: $(cat names)
      task: {type: write_file, path: "in/{{ item }}", content: "{{ item }}: {{ params.who }}"}
  - name: copy
    task: batch
    inputs:
      items: $(cat names)
      task: {type: copy_file, source: "in/{{ item }}", destination: "copies/{{ index }}"}
    outputs: copies
  - {name: data, task: write_json, inputs: {path: d/data.json, data: {who: "{{ params.who }}", n: "{{ copies.counts.total }}"}}}
  - {name: back, task: read_json, inputs: {path: d/data.json}}
  - name: page
    task: template
    inputs: {source: page.tpl, output: page.html}
  - {name: text, task: read_file, inputs: {path: page.html}}
  - {name: more, task: append_file, inputs: {path: page.html, content: "<hr>"}}
  - {name: move, task: move_file, inputs: {source: page.html, destination: www/index.html}}
  - {name: drop, task: delete_file, inputs: {path: names}}
"""


@pytest.mark.promise("5.60", "5.61", "5.62")
def test_every_type_does_its_work_on_names_of_any_bytes(batchwork: Command, work: Path) -> None:
    names = [b"a", b"it's ; rm -rf ~", "ü 日".encode(), b"\xff\xfe", b"-n"]
    (work / "names").write_bytes(b"\n".join(names) + b"\n")
    (work / "page.tpl").write_text("{{ back }}\n{% for c in copies %}{{ c.path }} {{ c.bytes }}\n{% endfor %}")
    (work / "w.yaml").write_text(EVERY_TYPE.replace("{{ back }}", ""))
    (work / "page.tpl").write_text("{{ steps.back.result.n }}\n{% for c in copies %}{{ c.bytes }} {% endfor %}\n")
    batchwork("run", "w.yaml", "--quiet", expect=0)
    assert sorted(os.listdir(os.fsencode(work / "in"))) == sorted(names)
    assert [(work / "copies" / str(n)).read_bytes() for n in range(5)] == [name + b": world" for name in names]
    sizes = " ".join(str(len(name) + 7) for name in names)
    assert (work / "www/index.html").read_text() == f"5\n{sizes} \n<hr>"
    results = {
        step: rows(batchwork("results", "--step", step, "--format", "jsonl"))[0]["result"]
        for step in ("back", "text", "move", "drop")
    }
    assert results == {
        "back": {"who": "world", "n": 5},
        "text": f"5\n{sizes} \n",
        "move": {"path": "www/index.html", "bytes": len(f"5\n{sizes} \n<hr>")},
        "drop": {"path": "names", "bytes": 8 + sum(map(len, names)) - 3},
    }
    assert not (work / "names").exists()


def test_a_batch_is_rendered_into_one_file(batchwork: Command, work: Path) -> None:
    (work / "w.yaml").write_text("""
steps:
  - name: pages
    task: batch
    inputs:
      items: {from: range, stop: 5}
      batch_size: 2
      each: batch
      task:
        type: template
        template: "{% for n in batch.items %}{{ n }};{% endfor %}"
        output: "page {{ batch.index }}"
""")
    batchwork("run", "w.yaml", "--quiet", expect=0)
    assert [(work / f"page {n}").read_text() for n in range(3)] == ["0;1;", "2;3;", "4;"]


def test_what_fails_says_what_and_why_and_has_no_traceback(batchwork: Command, work: Path) -> None:
    (work / "w.yaml").write_text("""
steps:
  - name: s
    task: batch
    inputs:
      items: [gone.json, bad.json, folder]
      continue_on_error: true
      task: {type: read_json, path: "{{ item }}"}
""")
    (work / "bad.json").write_text('{"a":\n}')
    (work / "folder").mkdir()
    batchwork("run", "w.yaml", "--quiet", expect=3)
    errors = [row["error"] for row in rows(batchwork("items", "--json"))]
    assert [(error["type"], error["message"]) for error in errors] == [  # type: ignore[index]
        ("FileNotFoundError", f"cannot read gone.json: there is no such file (paths are relative to {work})"),
        ("json", "bad.json:2:1: not JSON: expecting value"),
        ("IsADirectoryError", "cannot read folder: there is a folder of this name (name a file)"),
    ]
    assert all("traceback" not in error for error in errors)  # type: ignore[operator]
    (work / "gone.json").write_text("1")
    batchwork("retry", "--where", "error.type == 'FileNotFoundError'", "--quiet", expect=3)
    assert rows(batchwork("items", "--json"))[0]["result"] == 1


def test_moves_that_were_killed_are_completed_by_a_resume(
    batchwork: Command, work: Path, environ: Mapping[str, str], wait_for: Callable[..., None]
) -> None:
    count = 2000
    (work / "in").mkdir()
    for number in range(count):
        (work / "in" / str(number)).write_text(str(number))
    (work / "w.yaml").write_text(f"""
steps:
  - name: move
    task: batch
    inputs:
      items: {{from: range, stop: {count}}}
      task: {{type: move_file, source: "in/{{{{ item }}}}", destination: "out/{{{{ item }}}}"}}
""")
    running = subprocess.Popen([BIN / "batchwork", "run", "w.yaml", "--quiet"], cwd=work, env=dict(environ))
    wait_for((work / "out" / "20").exists)
    running.send_signal(signal.SIGKILL)
    running.wait()
    batchwork("resume", "--quiet", expect=0)
    assert {(work / "out" / str(n)).read_text() == str(n) for n in range(count)} == {True}
    assert os.listdir(work / "in") == []
    assert len(os.listdir(work / "out")) == count


def test_a_source_that_never_was_is_no_move_that_took_place(batchwork: Command, work: Path) -> None:
    """Whatever is at its destination, and however often it is tried; another item has moved it, or an earlier run."""
    (work / "w.yaml").write_text("""
steps:
  - name: move
    task: batch
    inputs:
      items: [report.txt, rapport.txt, report.txt]
      parallel: false
      continue_on_error: true
      retry: {max_attempts: 2, delay: 0s}
      task: {type: move_file, source: "{{ item }}", destination: done/report.txt}
""")
    (work / "report.txt").write_text("x")
    batchwork("run", "w.yaml", "--quiet", expect=3)
    batchwork("retry", "--quiet", expect=3)
    found = rows(batchwork("items", "--json"))
    assert [row["status"] for row in found] == ["succeeded", "failed", "failed"]
    assert [row["error"]["message"] for row in found[1:]] == [  # type: ignore[index]
        f"cannot move {name}: there is no such file, and done/report.txt was there before (name the file as it is)"
        for name in ("rapport.txt", "report.txt")
    ]
    batchwork("run", "w.yaml", "--quiet", expect=3)
    assert {row["status"] for row in rows(batchwork("items", "--json"))} == {"failed"}
    assert (work / "done/report.txt").read_text() == "x"


def test_plan_says_that_a_line_may_be_appended_twice(batchwork: Command, work: Path) -> None:
    (work / "w.yaml").write_text("""
steps:
  - {name: append, task: append_file, inputs: {path: a, content: b}}
  - {name: write, task: write_file, inputs: {path: c, content: b}}
""")
    shown = batchwork("plan", "w.yaml").stdout
    assert shown.count("an item that was killed while it appended may append twice when it is run again") == 1


def test_a_template_that_changed_is_refused_by_a_resume(batchwork: Command, work: Path) -> None:
    (work / "t").write_text("{{ item }}")
    (work / "w.yaml").write_text("""
steps:
  - name: s
    task: batch
    inputs:
      items: [a, b]
      task: {type: template, source: t, output: "out/{{ item }}"}
""")
    (work / "out").write_text("in the way")
    batchwork("run", "w.yaml", "--quiet", expect=1)
    (work / "out").unlink()
    (work / "t").write_text("<{{ item }}>")
    assert "source" in batchwork("resume", expect=4).stderr
    batchwork("resume", "--accept-changes", "--quiet", expect=0)
    assert (work / "out/a").read_text() == "<a>"
