"""The task types `read_json` and `write_json`."""

from __future__ import annotations

import json
from typing import Annotated, Any, ClassVar

import msgspec

from batchwork.tasks.fields import about
from batchwork.tasks.files.encodings import encoding_of, to_bytes, to_text
from batchwork.tasks.files.task import CREATE_DIRS, OVERWRITE, PATH, FileTask
from batchwork.tasks.files.trouble import FileTrouble, shown
from batchwork.tasks.files.whole import Target, read_all, written
from batchwork.text.json_numbers import finite, whole

ENCODING = about("utf-8, utf-16 …")


class ReadJsonFields(msgspec.Struct):
    """What may be written in a `read_json` task."""

    path: Annotated[str, PATH]
    encoding: Annotated[str, ENCODING] = "utf-8"


class ReadJson(FileTask):
    """Read a JSON file. The result is the value that it holds."""

    name: ClassVar[str] = "read_json"
    Fields: ClassVar[type] = ReadJsonFields
    read_paths = ("path",)

    def run(self, fields: ReadJsonFields, unit: Any) -> Any:
        text = to_text(read_all(fields.path), encoding_of(fields.encoding), fields.path)
        return parsed(text.removeprefix("\ufeff"), fields.path)


class WriteJsonFields(msgspec.Struct):
    """What may be written in a `write_json` task."""

    path: Annotated[str, PATH]
    data: Annotated[Any, about("The value: a template such as {{ item }}, or data with templates in it.")]
    encoding: Annotated[str, ENCODING] = "utf-8"
    create_dirs: Annotated[bool, CREATE_DIRS] = True
    overwrite: Annotated[bool, OVERWRITE] = True


class WriteJson(FileTask):
    """Write a value as JSON, for people too (two spaces), whole or not at all. The result is {path, bytes}."""

    name: ClassVar[str] = "write_json"
    Fields: ClassVar[type] = WriteJsonFields
    written_paths = ("path",)
    replaces = True

    def run(self, fields: WriteJsonFields, unit: Any) -> dict[str, Any]:
        data = encoded(fields.data, encoding_of(fields.encoding), fields.path)
        return written(Target(fields.path, fields.create_dirs, fields.overwrite), data)


def parsed(text: str, path: str) -> Any:
    """The value of a JSON text. What is not JSON is told with its line and column."""
    try:
        return json.loads(text, parse_constant=_refuse, parse_float=finite, parse_int=whole)
    except json.JSONDecodeError as error:
        place = f"{shown(path)}:{error.lineno}:{error.colno}"
        why = "it is empty" if not text.strip() else error.msg[:1].lower() + error.msg[1:]
        raise FileTrouble(f"{place}: not JSON: {why}", kind="json") from None
    except (ValueError, RecursionError) as error:
        why = "it is nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise FileTrouble(f"{shown(path)}: not JSON: {why}", kind="json") from None


def _refuse(word: str) -> None:
    raise ValueError(f"{word} is no JSON value")


def encoded(value: object, encoding: str, path: str) -> bytes:
    """The JSON text of a value. Characters stand as they are, unless one of them has no place in the encoding."""
    text = json.dumps(value, ensure_ascii=False, indent=2, allow_nan=False) + "\n"
    try:
        return text.encode(encoding)
    except (UnicodeEncodeError, LookupError):  # `\\u` says it in ASCII
        return to_bytes(json.dumps(value, indent=2, allow_nan=False) + "\n", encoding, path)
