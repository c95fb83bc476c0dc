"""A shell task made ready: the words, the directory, the variables and the input of each unit. Run by the reactor, not here."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from msgspec import Struct

from batchwork.errors import BindError, RenderError
from batchwork.ports import Scope
from batchwork.quoting import STRING_MAX, ArgumentList, ShellCommand, carried
from batchwork.tasks.fields import rendered
from batchwork.template import Value, text_of
from batchwork.text import jsontext
from batchwork.text.jsontext import Json
from batchwork.text.patterns import pattern

SHELL = "/bin/sh"
VARIABLE = pattern(r"[^=\0]+\Z")
"""What an environment variable may be called."""


class CommandLine(Struct, frozen=True):
    """A command for a shell. `constant` is its text where that is the same for all units."""

    command: ShellCommand
    launcher: tuple[str, ...]
    constant: str | None

    def argv(self, scope: Scope) -> list[Json]:
        return [*self.launcher, self.constant or self.command.text(scope)]

    def variables(self, scope: Scope) -> Mapping[str, str]:
        """The environment variables that the command refers to."""
        return self.command.bind(scope)


class Words(Struct, frozen=True):
    """A program and its arguments, run without a shell."""

    words: ArgumentList

    constant = None

    def argv(self, scope: Scope) -> list[Json]:
        words = _arguments(self.words.value.render(scope))
        self.words.check(words, scope)
        return [*words]

    def variables(self, _scope: Scope) -> Mapping[str, str]:
        return {}


class ShellProgram(Struct):
    """What a reactor runs. The payload has the words and further variables; a directory that is not `cwd`, and an input, if there are any.

    `hidden` are the secrets, by name, that may not stand in the words.
    """

    prepare: Mapping[str, Any]
    uses: frozenset[str]
    cwd: str
    working_dir: Value | None
    env: Value | None
    stdin: Value | None
    line: CommandLine | Words
    hidden: Sequence[tuple[str, str]] = ()

    worker = "reactor"
    takes_item = False
    says = False

    def bind(self, scope: Scope) -> Json:
        env: dict[str, Json] = {}
        _tell_of_unit(env, scope)
        if self.env is not None:
            env.update(_variables(self.env.render(scope)))
        env.update(self.line.variables(scope))
        argv = self.line.argv(scope)
        if self.hidden and self.line.constant is None:
            _keep_out(self.hidden, argv)
        payload: dict[str, Json] = {"argv": argv, "env": env}
        if self.working_dir is not None:
            payload["cwd"] = self._folder(self.working_dir, scope)
        if self.stdin is not None:
            payload["stdin"] = _input(rendered(self.stdin, scope))
        return payload

    def _folder(self, written: Value, scope: Scope) -> str:
        value = rendered(written, scope)
        if value is None:
            return self.cwd
        text = text_of(value)
        carried(text, "`working_dir`")
        if written.is_constant:
            text = os.path.expanduser(text)
        return os.path.join(self.cwd, text)


def _keep_out(secrets: Sequence[tuple[str, str]], words: Sequence[Json]) -> None:
    """Refuse words with a secret in them, which came by an item or a parameter. Raises BindError."""
    for name, secret in secrets:
        if any(secret in str(word) for word in words):
            raise BindError(
                f"the secret `{name}` would stand in an argument list, where others can read it",
                f'commands have it in their environment: "${name}"; or give it by `stdin:`',
            )


def _tell_of_unit(env: dict[str, Json], scope: Scope) -> None:
    """What every command is told of its unit. What cannot be in an environment is left out."""
    if "item" in scope:
        try:
            text = jsontext.encode(scope["item"])
        except (TypeError, ValueError):
            text = ""
        if text and _fits(text):
            env["BATCHWORK_ITEM"] = text
    if "key" in scope:
        key = str(scope["key"])
        if _fits(key):
            env["BATCHWORK_KEY"] = key
        env["BATCHWORK_INDEX"] = str(scope.get("index", 0))
        env["BATCHWORK_ATTEMPT"] = str(scope.get("attempt", 1))
        env["BATCHWORK_IDEMPOTENCY_KEY"] = str(scope.get("idempotency_key", ""))


def _fits(text: str) -> bool:
    if len(text) < STRING_MAX - 32 and text.isascii() and "\0" not in text:
        return True
    try:
        carried(text, "", 32)
    except BindError:
        return False
    return True


def _variables(value: object) -> Iterator[tuple[str, str]]:
    if not isinstance(value, Mapping):
        raise RenderError("`env` must be a mapping of names to values")
    for name, part in value.items():
        if not VARIABLE.match(str(name)):
            raise BindError(f"`{name}` cannot be the name of an environment variable")
        if part is None:
            raise RenderError(f"`env.{name}` is null", "leave it out, or give a text: {{ … | default('', true) }}")
        text = text_of(part)
        carried(text, f"the value of `env.{name}`", len(str(name)) + 1)
        yield str(name), text


def _arguments(value: object) -> list[str]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise RenderError("`argv` must be a list of words, the first of them the program")
    words: list[str] = []
    for number, part in enumerate(value):
        text = text_of(part)
        carried(text, f"`argv[{number}]`")
        words.append(text)
    if not words[0]:
        raise RenderError("`argv[0]`, the program, is empty")
    return words


def _input(value: object) -> str | None:
    if value is None:
        return None
    text = text_of(value)
    if not text.isascii():
        try:
            text.encode("utf-8", "surrogateescape")
        except UnicodeEncodeError as error:
            raise BindError(f"`stdin` contains {text[error.start]!a}, half of a character") from None
    return text
