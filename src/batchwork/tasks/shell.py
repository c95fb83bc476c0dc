"""The task type `shell`: a command for the shell, or a list of words without one. It is run by the reactor, not here."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Struct

from batchwork.errors import BindError, Place, Problem, RenderError, WorkflowError
from batchwork.ports import Program, Scope, Setting, WorkerKind, Written
from batchwork.quoting import STRING_MAX, ShellCommand, carried, compile_argv, compile_command
from batchwork.secrets import unmistakable
from batchwork.tasks.fields import constant, constant_problems, read_problems, size, written
from batchwork.template import Expression, Template, Value, text_of
from batchwork.text import jsontext
from batchwork.text.jsontext import Json
from batchwork.text.patterns import pattern

CAPTURE_LIMIT = 1 << 20
_SHELL = "/bin/sh"
_UNIT = ("item", "key", "index", "attempt", "idempotency_key")
_variable = pattern(r"[^=\0]+\Z")


def _about(text: str) -> msgspec.Meta:
    return msgspec.Meta(description=text)


class ShellFields(msgspec.Struct):
    """What may be written in a `shell` task."""

    command: Annotated[
        str | None,
        _about(
            "The command, for the shell. Values are bound, not pasted; `| args` makes words of a list, `| raw` pastes."
        ),
    ] = None
    argv: Annotated[
        list[Any] | None, _about("Instead of `command`: a program and its arguments, run without a shell.")
    ] = None
    working_dir: Annotated[str | None, _about("The folder to run in, relative to where batchwork was started.")] = None
    env: Annotated[dict[str, Any] | None, _about("Further environment variables.")] = None
    shell: Annotated[str, _about("The shell that runs `command`: of the POSIX kind, for values to be bound.")] = _SHELL
    stdin: Annotated[
        Any, _about("What the command reads on standard input; any size. Nothing, if it is not given.")
    ] = None
    capture_limit: Annotated[
        int | str, _about("How much of each of stdout and stderr is kept; of more, the head and the tail.")
    ] = "1 MiB"


class ShellTask:
    """Run a command. The result is {stdout, stderr, exit_code}; any exit code but 0 is a failure."""

    name: ClassVar[str] = "shell"
    Fields: ClassVar[type] = ShellFields
    literal: ClassVar[frozenset[str]] = frozenset()
    open_fields: ClassVar[bool] = False
    default_parallel: ClassVar[int | None] = 8

    def check(self, fields: Written, names: frozenset[str], place: Place) -> Iterable[Problem]:
        command, argv = written(fields, "command"), written(fields, "argv")
        if command is None and argv is None:
            yield Problem(
                place, "`command` is required in the task `shell`", "or `argv`, a list of words, run without a shell"
            )
        elif command is not None and argv is not None:
            yield Problem(
                argv.place, "`argv` and `command` exclude each other", "`command` is for the shell, `argv` runs without"
            )
        if argv is not None:
            if "shell" in fields:
                yield Problem(
                    fields["shell"].place, "`shell` means nothing beside `argv`, which is run without a shell"
                )
            yield from _words_of(argv)[1]
        elif command is not None:
            yield from _command_problems(command, fields)
        yield from _environment_problems(fields)
        yield from constant_problems(fields, ("shell", "capture_limit"))
        yield from read_problems(fields, {"capture_limit": size})

    def warn(self, fields: Written, names: frozenset[str], place: Place) -> Iterable[Problem]:
        command, argv = written(fields, "command"), written(fields, "argv")
        if argv is not None:
            yield from _words_of(argv)[2]
        elif command is not None and command.template is not None:
            try:
                compiled = compile_command(command.template, _shell_of(fields)[0])
            except WorkflowError:
                return  # it is a problem, not a warning
            yield from compiled.warnings
            for expression in compiled.pasted:
                if expression.mark == "raw" and not expression.roots.isdisjoint(("item", "key", "batch")):
                    message = f"`{{{{ {expression.source} }}}}` is pasted: whoever writes the items writes commands"
                    yield Problem(
                        expression.place, message, "without `| raw` the value is bound, and always plain data"
                    )

    def exposed(self, fields: Written) -> Iterator[tuple[Place, frozenset[tuple[str | int, ...]]]]:
        """What stands in an argument list: the words of `argv`, what is pasted into a command, and the shell."""
        for value in (written(fields, "argv"), written(fields, "shell")):
            for template in value.templates() if value is not None else ():
                yield template.place, template.paths
        for expression in pasted(fields):
            yield expression.place, expression.paths

    def code_names(self, fields: Written) -> frozenset[str]:
        return frozenset()

    def identity(self, fields: Written) -> Json:
        return None

    def program(self, fields: Written, setting: Setting) -> Program:
        argv, command = written(fields, "argv"), written(fields, "command")
        compiled: ShellCommand | None = None
        launcher = _shell_of(fields, setting)
        if argv is not None:
            _keep_secrets_out(argv.templates(), setting)
        elif command is not None:
            compiled = compile_command(command.template or text_of(command.json), launcher[0])
            _keep_secrets_out(compiled.pasted, setting)
        used = frozenset(_UNIT).union(*(value.roots for value in fields.values()))
        return ShellProgram(
            prepare={"kind": "shell", "capture_limit": constant(fields, "capture_limit", setting, size, CAPTURE_LIMIT)},
            uses=used & setting.unit_names,
            cwd=setting.cwd,
            working_dir=written(fields, "working_dir"),
            env=written(fields, "env"),
            stdin=written(fields, "stdin"),
            words=argv,
            command=compiled,
            constant=compiled.constant if compiled is not None else None,
            launcher=(*launcher, "-c"),
            hidden=unmistakable(setting.secrets, setting.environ),
        )


def pasted(fields: Written) -> tuple[Expression, ...]:
    """The templates of the command whose values are pasted into its text: `| raw` and `| args`."""
    command = written(fields, "command")
    if command is None or command.template is None:
        return ()
    try:
        return compile_command(command.template, _shell_of(fields)[0]).pasted
    except WorkflowError:  # told as a problem
        return ()


def _command_problems(command: Value, fields: Written) -> Iterator[Problem]:
    if command.template is None:
        text = command.json
        if not isinstance(text, str) or not text.strip():
            yield Problem(command.place, "`command` is empty")
        elif "\0" in text:
            yield Problem(command.place, "the command contains a NUL; a NUL cannot be passed to a command")
        return
    try:
        compile_command(command.template, _shell_of(fields)[0])
    except WorkflowError as error:
        yield from error.problems


def _shell_of(fields: Written, setting: Setting | None = None) -> tuple[str, ...]:
    """The shell and its options; the usual one where it is not known yet."""
    value = written(fields, "shell")
    if value is None or (setting is None and not value.is_constant):
        return (_SHELL,)
    words = tuple(shlex.split(text_of(value.render(setting.constants if setting else {}))))
    if not words:
        raise RenderError("`shell` is empty")
    return words


def _words_of(argv: Value) -> tuple[list[Template | str], list[Problem], list[Problem]]:
    """The words of a written list, what is wrong with them, and what is risky. A template may give the whole list."""
    if not isinstance(argv.json, list):
        return [], [], []
    if not argv.json:
        return [], [Problem(argv.place, "`argv` is empty", "its first word is the program")], []
    templates = {template.source: template for template in argv.templates()}
    words = [templates.get(part, part) if isinstance(part, str) else text_of(part) for part in argv.json]
    problems, warnings = compile_argv(words)
    if any(isinstance(word, str) and "\0" in word for word in words):
        problems.append(Problem(argv.place, "a word of `argv` contains a NUL; a NUL cannot be passed to a command"))
    return words, problems, warnings


def _environment_problems(fields: Written) -> Iterator[Problem]:
    env = written(fields, "env")
    if env is not None and isinstance(env.json, dict):
        for name in env.json:
            if not _variable.match(name):
                yield Problem(env.place, f"`{name}` cannot be the name of an environment variable")


def _keep_secrets_out(used: Iterable[Template] | Iterable[Any], setting: Setting) -> None:
    """Arguments can be seen by every user of the machine."""
    for part in used:
        for path in part.paths:
            if path[0] == "env" and len(path) > 1 and path[1] in setting.secrets:
                raise RenderError(
                    f"the secret `{path[1]}` would stand in an argument list, where others can read it",
                    f'commands have it in their environment: "${path[1]}"; or give it by `stdin:`',
                )


# ---------------------------------------------------------------- bound for one unit


class ShellProgram(Struct):
    """A command, or words, for a reactor. The payload has the words, the directory, further variables and the input."""

    prepare: Mapping[str, Any]
    uses: frozenset[str]
    cwd: str
    working_dir: Value | None
    env: Value | None
    stdin: Value | None
    words: Value | None = None
    command: ShellCommand | None = None
    constant: str | None = None
    launcher: tuple[str, ...] = (_SHELL, "-c")
    hidden: Sequence[tuple[str, str]] = ()
    worker: WorkerKind = "reactor"
    takes_item: bool = False
    says: bool = False

    def bind(self, scope: Scope) -> Json:
        env: dict[str, Json] = dict(_of_unit(scope))
        if self.env is not None:
            env.update(_variables(self.env.render(scope)))
        if self.command is not None:
            env.update(self.command.bind(scope))
            text = self.constant if self.constant is not None else self.command.text(scope)
            argv: list[Json] = [*self.launcher, text]
        else:
            argv = _arguments(self.words.render(scope) if self.words is not None else None)
        if self.hidden and self.constant is None:
            _keep_out(self.hidden, argv)
        return {
            "argv": argv,
            "env": env,
            "cwd": self.cwd if self.working_dir is None else self._folder(scope, self.working_dir),
            "stdin": None if self.stdin is None else _input(self.stdin.render(scope)),
        }

    def _folder(self, scope: Scope, working_dir: Value) -> str:
        value = working_dir.render(scope)
        if value is None:
            return self.cwd
        text = text_of(value)
        carried(text, "`working_dir`")
        return os.path.join(self.cwd, os.path.expanduser(text) if working_dir.is_constant else text)


def _keep_out(secrets: Sequence[tuple[str, str]], words: Sequence[Json]) -> None:
    """Refuse words with a secret in them, which came by an item or a parameter. Raises BindError."""
    for name, secret in secrets:
        if any(secret in str(word) for word in words):
            raise BindError(
                f"the secret `{name}` would stand in an argument list, where others can read it",
                f'commands have it in their environment: "${name}"; or give it by `stdin:`',
            )


def _of_unit(scope: Scope) -> Iterator[tuple[str, str]]:
    """What every command is told of its unit. What cannot be in an environment is left out."""
    if "item" in scope:
        try:
            text = jsontext.encode(scope["item"])
        except (TypeError, ValueError):
            text = ""
        if text and _fits(text):
            yield "BATCHWORK_ITEM", text
    if "key" in scope:
        key = str(scope["key"])
        if _fits(key):
            yield "BATCHWORK_KEY", key
        yield "BATCHWORK_INDEX", str(scope.get("index", 0))
        yield "BATCHWORK_ATTEMPT", str(scope.get("attempt", 1))
        yield "BATCHWORK_IDEMPOTENCY_KEY", str(scope.get("idempotency_key", ""))


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
        if not _variable.match(str(name)):
            raise BindError(f"`{name}` cannot be the name of an environment variable")
        if part is None:
            raise RenderError(f"`env.{name}` is null", "leave it away, or give a text: {{ … | default('', true) }}")
        text = text_of(part)
        carried(text, f"the value of `env.{name}`", len(str(name)) + 1)
        yield str(name), text


def _arguments(value: object) -> list[Json]:
    if not isinstance(value, Sequence) or isinstance(value, str) or not value:
        raise RenderError("`argv` must be a list of words, the first of them the program")
    words: list[Json] = []
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
