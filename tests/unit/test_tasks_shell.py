"""The shell task: what is wrong with its fields, what is risky, what a worker gets for one unit."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

from batchwork.errors import BindError, Place, RenderError
from batchwork.ports import Compiled, Program, Setting, Written
from batchwork.tasks.shell.task import ShellTask
from batchwork.template import Value
from batchwork.text.jsontext import Json

TASK = ShellTask()
NAMES = frozenset({"item", "key", "index", "attempt", "idempotency_key", "env", "params", "xs"})
UNIT = {"item": "it's", "key": '"it\'s"', "index": 3, "attempt": 2, "idempotency_key": "run/step/k"}


def fields(**written: Json) -> dict[str, Value]:
    return {name: Value.of(value, Place("w.yaml", 6, 10)) for name, value in written.items()}


def setting(cwd: str = "/work", secrets: tuple[str, ...] = (), **constants: object) -> Setting:
    return Setting("s", constants, frozenset(UNIT) | {"batch"}, {}, cwd, cwd, None, secrets)


def compiled(written: dict[str, Value]) -> Compiled:
    return TASK.compile(Written(written, NAMES, Place("w.yaml", 5, 1)))


def program(written: dict[str, Value], **constants: object) -> Program:
    return compiled(written).program(setting(**constants))  # type: ignore[arg-type]


def bind(written: dict[str, Value], scope: dict[str, object] | None = None) -> dict[str, object]:
    payload = program(written).bind({**UNIT, **(scope or {})})
    assert isinstance(payload, dict)
    json.dumps(payload)  # it is JSON data
    return payload


def problems(**written: Json) -> list[str]:
    found = compiled(fields(**written)).problems
    return [f"{problem.message} {problem.hint}" for problem in found]


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ({}, "`command` is required"),
        ({"command": "a", "argv": ["a"]}, "exclude each other"),
        ({"command": "  "}, "`command` is empty"),
        ({"argv": []}, "`argv` is empty"),
        ({"argv": ["a"], "shell": "/bin/bash"}, "`shell` means nothing"),
        ({"argv": ["sh", "-c", "echo {{ item }}"]}, "sh -c"),
        ({"command": "echo ${x:-{{ item }}}"}, "inside `${…}`"),
        ({"command": "[ {{ item }} -eq 1 ]", "shell": "ksh"}, "-eq"),
        ({"command": "echo {{ item }}", "shell": "fish"}, "POSIX"),
        ({"command": "a\0b"}, "NUL"),
        ({"command": "a", "env": {"A=B": "x"}}, "`A=B` cannot be the name"),
        ({"command": "a", "capture_limit": "much"}, "`capture_limit` must be a size"),
        ({"command": "a", "capture_limit": 0}, "`capture_limit` must be a size"),
        ({"command": "a", "capture_limit": "{{ item }}"}, "the same for all items, and cannot use `item`"),
    ],
)
def test_what_is_wrong_is_said_beforehand(written: dict[str, Json], said: str) -> None:
    found = problems(**written)
    assert len(found) == 1
    assert said in found[0]


@pytest.mark.parametrize(
    "written",
    [
        {"command": "echo {{ item }}"},
        {"command": "true", "shell": "/bin/bash -eu", "env": {"A": "{{ item }}"}, "stdin": "{{ item }}"},
        {"argv": ["cat", "--", "{{ item }}", 5]},
        {"argv": "{{ xs }}", "working_dir": "{{ item }}"},
        {"command": "true", "capture_limit": "{{ params.x }}"},
    ],
)
def test_what_is_right_has_no_problems(written: dict[str, Json]) -> None:
    assert problems(**written) == []
    assert list(compiled(fields(**written)).warnings) == []


def test_pasted_items_are_warned_of() -> None:
    assert "is pasted" in next(iter(compiled(fields(command="x {{ item | raw }}")).warnings)).message
    assert list(compiled(fields(command="x {{ params.flags | raw }}")).warnings) == []


def test_a_command_is_bound() -> None:
    payload = bind(fields(command="echo {{ item }}"))
    assert payload.keys() == {"argv", "env"}
    assert payload["argv"] == ["/bin/sh", "-c", 'echo "${BW_1}"']
    assert payload["env"] == {
        "BW_1": "it's",
        "BATCHWORK_ITEM": '"it\'s"',
        "BATCHWORK_KEY": '"it\'s"',
        "BATCHWORK_INDEX": "3",
        "BATCHWORK_ATTEMPT": "2",
        "BATCHWORK_IDEMPOTENCY_KEY": "run/step/k",
    }


@pytest.mark.promise("5.40")
def test_all_fields_are_bound() -> None:
    written = fields(
        command="cmd {{ item | raw }}",
        shell="bash -eu",
        working_dir="sub/{{ item }}",
        env={"A": "{{ item }}", "N": 5, "L": "{{ [1] }}"},
        stdin="{{ {'a': 1} }}",
        capture_limit="64 KiB",
    )
    payload = bind(written)
    assert payload["argv"] == ["bash", "-eu", "-c", "cmd it's"]
    assert payload["cwd"] == "/work/sub/it's"
    assert payload["stdin"] == '{"a":1}'
    env = payload["env"]
    assert isinstance(env, dict) and (env["A"], env["N"], env["L"]) == ("it's", "5", "[1]")
    made = program(written)
    assert made.prepare == {"kind": "shell", "capture_limit": 65536, "environ": {"BATCHWORK_STEP": "s"}}
    assert made.worker == "reactor" and not made.takes_item and not made.says


def test_words_are_bound() -> None:
    assert bind(fields(argv=["cmd", "--x={{ item }}", 5, None, "{{ [1] }}"]))["argv"] == [
        "cmd",
        "--x=it's",
        "5",
        "null",
        "[1]",
    ]
    assert bind(fields(argv="{{ item }}"), {"item": ["a", 1]})["argv"] == ["a", "1"]
    for wrong in ("x", [], {"a": 1}, [""]):
        with pytest.raises(RenderError, match="argv"):
            bind(fields(argv="{{ item }}"), {"item": wrong})


@pytest.mark.fault("F06")
@pytest.mark.parametrize("name", ["command", "argv", "env", "working_dir"])
def test_a_nul_is_refused_and_said(name: str) -> None:
    written = {
        "command": fields(command="x {{ item }}"),
        "argv": fields(argv=["x", "{{ item }}"]),
        "env": fields(command="x", env={"A": "{{ item }}"}),
        "working_dir": fields(command="x", working_dir="{{ item }}"),
    }[name]
    with pytest.raises(BindError, match=r"NUL, which cannot be passed to a command.*stdin:"):
        bind(written, {"item": "a\0b"})


def test_standard_input_carries_anything() -> None:
    assert bind(fields(command="x", stdin="{{ item }}"), {"item": "a\0b" * 100_000})["stdin"] == "a\0b" * 100_000
    assert bind(fields(command="x", stdin="{{ item }}"), {"item": "\udcff"})["stdin"] == "\udcff"
    assert bind(fields(command="x", stdin="{{ item }}"), {"item": None})["stdin"] is None
    with pytest.raises(BindError, match="half of a character"):
        bind(fields(command="x", stdin="{{ item }}"), {"item": "\ud800"})


@pytest.mark.fault("F07")
@pytest.mark.parametrize("item", ["x" * 200_000, "é" * 70_000])
def test_what_does_not_fit_is_left_out_of_the_environment_or_refused(item: str) -> None:
    env = bind(fields(command="x", stdin="{{ item }}"), {"item": item, "key": item})["env"]
    assert isinstance(env, dict) and "BATCHWORK_ITEM" not in env and "BATCHWORK_KEY" not in env
    with pytest.raises(BindError, match="stdin:"):
        bind(fields(command="x {{ item }}"), {"item": item})


def test_a_step_without_items_has_no_item() -> None:
    made = compiled(fields(command="echo {{ params.x }}")).program(setting(params={"x": 1}))
    payload = made.bind({"params": {"x": 1}, "key": "", "index": 0, "attempt": 1, "idempotency_key": "t"})
    assert isinstance(payload, dict) and isinstance(payload["env"], dict)
    assert "BATCHWORK_ITEM" not in payload["env"] and payload["env"]["BW_1"] == "1"


def test_batch_is_asked_for_only_where_it_is_used() -> None:
    assert "batch" in program(fields(command="echo {{ batch.index }}")).uses
    assert "batch" not in program(fields(command="echo {{ item }}")).uses
    assert "key" in program(fields(command="echo")).uses


@pytest.mark.parametrize(
    "written",
    [
        {"argv": ["curl", "-H", "Authorization: {{ env.TOKEN }}"]},
        {"command": "curl {{ env['TOKEN'] | raw }}"},
        {"command": "curl {{ [env.TOKEN] | args }}"},
    ],
)
def test_secrets_are_not_put_into_argument_lists(written: dict[str, Json]) -> None:
    with pytest.raises(RenderError, match="secret `TOKEN` would stand in an argument list"):
        compiled(fields(**written)).program(setting(secrets=("TOKEN",), env={"TOKEN": "t"}))
    assert compiled(fields(command="x {{ env.TOKEN }}")).program(setting(secrets=("TOKEN",), env={"TOKEN": "t"}))


def test_a_null_variable_is_refused() -> None:
    with pytest.raises(RenderError, match=r"`env\.A` is null"):
        bind(fields(command="x", env={"A": "{{ item }}"}), {"item": None})


def test_what_is_bound_runs(tmp_path: Path) -> None:
    """The payload is enough to run the command beside what is the same for all, by whatever runs it."""
    written = fields(
        command="printf '%s|%s|' {{ item }} \"$BATCHWORK_ITEM\"; cat; pwd", stdin="in {{ index }}\n", working_dir="sub"
    )
    (tmp_path / "sub").mkdir()
    made = compiled(written).program(setting(cwd=str(tmp_path)))
    payload = made.bind(UNIT)
    assert isinstance(payload, dict)
    done = subprocess.run(
        payload["argv"],  # type: ignore[arg-type]
        env={**os.environ, **payload["env"]},  # type: ignore[dict-item]
        cwd=payload["cwd"],  # type: ignore[arg-type]
        input=payload["stdin"],  # type: ignore[arg-type]
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == f"it's|\"it's\"|in 3\n{tmp_path}/sub\n"
