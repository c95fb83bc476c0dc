"""Each task type keeps the contract of task types."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar

from batchwork.plugins import find_task
from batchwork.ports import Task
from batchwork.testing.task_contract import TaskContract
from batchwork.text.jsontext import Json


class BuiltIn(TaskContract):
    name: ClassVar[str]
    written: ClassVar[Mapping[str, Json]]

    def task(self) -> Task:
        return find_task(self.name)

    def fields(self) -> Mapping[str, Json]:
        return self.written


class TestEcho(BuiltIn):
    name, written = "echo", {"message": "{{ key }} is {{ item }}"}


class TestShell(BuiltIn):
    name, written = "shell", {"command": "echo {{ item }}", "env": {"NUMBER": "{{ index }}"}}


class TestPython(BuiltIn):
    name, written = "python", {"code": "return item + str(index)"}


class TestHttpRequest(BuiltIn):
    name, written = (
        "http_request",
        {"url": "http://localhost/{{ key }}", "method": "POST", "json": {"item": "{{ item }}"}},
    )


class TestReadFile(BuiltIn):
    name, written = "read_file", {"path": "in/{{ key }}", "encoding": "latin-1"}


class TestWriteFile(BuiltIn):
    name, written = "write_file", {"path": "out/{{ key }}", "content": "{{ item }}", "overwrite": False}


class TestAppendFile(BuiltIn):
    name, written = "append_file", {"path": "log", "content": "{{ item }}\n"}


class TestReadJson(BuiltIn):
    name, written = "read_json", {"path": "in/{{ key }}"}


class TestWriteJson(BuiltIn):
    name, written = "write_json", {"path": "out/{{ key }}", "data": {"item": "{{ item }}"}, "create_dirs": False}


class TestCopyFile(BuiltIn):
    name, written = "copy_file", {"source": "{{ item }}", "destination": "out/{{ index }}"}


class TestMoveFile(BuiltIn):
    name, written = "move_file", {"source": "{{ item }}", "destination": "out/{{ index }}"}


class TestDeleteFile(BuiltIn):
    name, written = "delete_file", {"path": "{{ item }}"}


class TestTemplate(BuiltIn):
    name, written = "template", {"template": "{{ item }} is {{ key }}", "output": "out/{{ index }}.txt"}
