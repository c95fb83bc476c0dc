"""One workflow gives the same wherever its items run: here, by a command, on Dask, on Ray. 400 items; 20,000 by `make cluster`."""

from __future__ import annotations

import json
import os
import subprocess
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from ray_cluster import RayCluster, needs_ray
from rig import BATCHWORK

from dask_cluster import dask_cluster

ITEMS = int(os.environ.get("BATCHWORK_CLUSTER_ITEMS", "400"))
SHARES = {"code": ITEMS // 2, "command": ITEMS // 5, "web": ITEMS - ITEMS // 2 - ITEMS // 5}
RUN_S = 170
FLOW = """
name: everywhere
params: {port: 80}
secrets: [TOKEN]
steps:
  - name: code
    task: batch
    inputs:
      items: {from: range, stop: CODE}
      parallel: true
      continue_on_error: true
      retry: {max_attempts: 2, delay: 0}
      task:
        type: python
        code: |
          if item % 97 == 13:
              raise ValueError(f"not {item}: äöü \\u2028")
          print("seen", item)
          return {"twice": item * 2, "text": "ünï" * (item % 5)}
  - name: command
    task: batch
    inputs:
      items: {from: range, stop: COMMAND}
      max_parallel: 4
      continue_on_error: true
      task:
        type: shell
        env: {NAME: "a b;$(c)", SECRET: "{{ env.TOKEN }}"}
        command: |
          test {{ item % 53 }} -ne 7 || exit 3
          printf '%s %s' "$NAME" {{ item }}
          test -n "$SECRET"
  - name: web
    task: batch
    inputs:
      items: {from: range, stop: WEB}
      max_parallel: 8
      continue_on_error: true
      task:
        type: http_request
        url: "http://127.0.0.1:{{ params.port }}/{{ item }}"
"""


class Answers(BaseHTTPRequestHandler):
    """The path as JSON; 404 for some. There is no time in what it answers."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        body = json.dumps({"path": self.path}).encode()
        self.send_response_only(404 if self.path.endswith("77") else 200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture(scope="module")
def port() -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answers)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server.server_port
    server.shutdown()
    server.server_close()


def everywhere(folder: Path, port: int, executor: str) -> list[dict[str, Any]]:
    """The items of a run in a folder, without times and names of workers."""
    folder.mkdir(exist_ok=True)
    flow = FLOW.replace("CODE", str(SHARES["code"])).replace("COMMAND", str(SHARES["command"]))
    (folder / "flow.yaml").write_text(flow.replace("WEB", str(SHARES["web"])), encoding="utf-8")
    environ = {**os.environ, "TOKEN": "not-a-secret-token"}

    def batchwork(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [BATCHWORK, *words], cwd=folder, env=environ, capture_output=True, text=True, check=False, timeout=RUN_S
        )

    run = batchwork("run", "flow.yaml", f"port={port}", "--executor", executor, "--progress", "off")
    assert run.returncode == 3, run.stdout + run.stderr
    items = [json.loads(line) for line in batchwork("items", "--json").stdout.splitlines()]
    assert len(items) == ITEMS
    for item in items:
        item.pop("duration")
        item.pop("worker", None)
        _forget_times(item)
    return items


def _forget_times(value: Any) -> None:
    """How long a request took stands in its result."""
    if isinstance(value, dict):
        for name in ("elapsed", "duration"):
            value.pop(name, None)
        for inner in value.values():
            _forget_times(inner)


@pytest.fixture(scope="module")
def at_home(port: int, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    return everywhere(tmp_path_factory.mktemp("local"), port, "local")


def test_some_of_the_items_fail_and_some_do_not(at_home: list[dict[str, Any]]) -> None:
    for step in SHARES:
        assert {item["status"] for item in at_home if item["step"] == step} == {"succeeded", "failed"}


def test_items_are_the_same_on_nodes_of_a_command(at_home: list[dict[str, Any]], port: int, tmp_path: Path) -> None:
    assert everywhere(tmp_path, port, "command:echo {1,2} >&2; exec {agent} --slots 2") == at_home


def test_items_are_the_same_on_dask(at_home: list[dict[str, Any]], port: int, tmp_path: Path) -> None:
    (tmp_path / "dask").mkdir()
    with dask_cluster(tmp_path / "dask", 2) as cluster:
        assert everywhere(tmp_path / "work", port, f"{cluster.url}?slots=2") == at_home


@needs_ray
def test_items_are_the_same_on_ray(at_home: list[dict[str, Any]], port: int, tmp_path: Path) -> None:
    cluster = RayCluster(tmp_path, "127.0.0.1")
    try:
        cluster.start_head(2)
        assert everywhere(tmp_path / "work", port, f"{cluster.url}?slots=2") == at_home
    finally:
        cluster.close()
