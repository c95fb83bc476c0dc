"""The task type `shell`: a command for the shell, or a list of words without one. Nothing is run here."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Annotated, Any, ClassVar

import msgspec
from msgspec import Struct

from batchwork.errors import Problem, RenderError, WorkflowError
from batchwork.ports import Compiled, Exposed, Scope, Setting, Written
from batchwork.quoting import ArgumentList, ShellCommand, compile_argv, compile_command, hidden_failures
from batchwork.secrets import unmistakable
from batchwork.tasks.fields import Given, about, bytes_of, constant, constant_problems, read_problems, value_of
from batchwork.tasks.shell.program import SHELL, VARIABLE, CommandLine, ShellProgram, Words
from batchwork.template import MANY_WORDS, Expression, Template, Value, misplaced, text_of

CAPTURE_LIMIT = 1 << 20
_ARGV_MARKS = frozenset(("", "raw", "option"))
_UNIT = ("item", "key", "index", "attempt", "idempotency_key")


class ShellFields(msgspec.Struct):
    """What may be written in a `shell` task."""

    command: Annotated[
        str | None,
        about(
            "The command, for the shell. Values are bound, not pasted; `| args` makes words of a list, `| words` of an option string, `| raw` pastes."
        ),
    ] = None
    argv: Annotated[
        list[Any] | None, about("Instead of `command`: a program and its arguments, run without a shell.")
    ] = None
    working_dir: Annotated[str | None, about("The folder to run in, relative to where batchwork was started.")] = None
    env: Annotated[dict[str, Any] | None, about("Further environment variables.")] = None
    shell: Annotated[str, about("The shell that runs `command`: of the POSIX kind, for values to be bound.")] = SHELL
    stdin: Annotated[Any, about("What the command reads on standard input; any size. Nothing, if it is not given.")] = (
        None
    )
    capture_limit: Annotated[
        int | str, about("How much of each of stdout and stderr is kept; of more, the head and the tail.")
    ] = "1 MiB"


class ShellTask:
    """Run a command. The result is {stdout, stderr, exit_code}; any exit code but 0 is a failure."""

    name: ClassVar[str] = "shell"
    Fields: ClassVar[type] = ShellFields
    literal: ClassVar[frozenset[str]] = frozenset()
    open_fields: ClassVar[bool] = False
    default_parallel: ClassVar[int | None] = 8

    def compile(self, task: Written) -> Compiled:
        fields = task.fields
        argv, command = value_of(fields, "argv"), value_of(fields, "command")
        problems = [*_choice_problems(argv, command, task)]
        if argv is not None:
            run = _compiled_argv(argv)
        elif command is not None:
            run = _compiled_command(command, *_known_shell(fields))
        else:
            run = _Run()
        problems += [
            *run.problems,
            *_shell_problems(fields),
            *_environment_problems(fields),
            *constant_problems(fields, ("shell", "capture_limit")),
            *read_problems(fields, {"capture_limit": bytes_of}),
        ]
        visible, shell = [*run.visible], value_of(fields, "shell")
        if shell is not None:
            visible += shell.templates()
        return Compiled(
            program=lambda setting: _program(fields, run, setting),
            problems=problems,
            warnings=run.warnings,
            exposed=[Exposed(part.place, part.paths) for part in visible],
            remarks=[_remark(part) for part in run.pasted],
        )


class _Run(Struct, frozen=True):
    """What is run, compiled: a command for a shell, or words. `visible` are the templates that stand in argument lists."""

    command: ShellCommand | None = None
    words: ArgumentList | None = None
    problems: Sequence[Problem] = ()
    warnings: Sequence[Problem] = ()
    visible: Sequence[Template | Expression] = ()
    pasted: Sequence[Expression] = ()


def _choice_problems(argv: Value | None, command: Value | None, task: Written) -> Iterator[Problem]:
    if command is None and argv is None:
        yield Problem(
            task.place, "`command` is required in the task `shell`", "or `argv`, a list of words, run without a shell"
        )
    elif command is not None and argv is not None:
        yield Problem(
            argv.place, "`argv` and `command` exclude each other", "`command` is for the shell, `argv` runs without"
        )
    if argv is not None and "shell" in task.fields:
        place = task.fields["shell"].place
        yield Problem(place, "`shell` means nothing beside `argv`, which is run without a shell")


def _compiled_command(value: Value, shell: str, options: Sequence[str] | None) -> _Run:
    if value.template is None:
        text = value.json
        if not isinstance(text, str) or not text.strip():
            return _Run(problems=[Problem(value.place, "`command` is empty")])
        if "\0" in text:
            message = "the command contains a NUL, which cannot be passed to a command"
            return _Run(problems=[Problem(value.place, message)])
        return _Run(compile_command(text), warnings=hidden_failures(text, value.place, shell, options))
    try:
        command = compile_command(value.template, shell, options)
    except WorkflowError as error:
        return _Run(problems=error.problems)
    warnings = [*command.warnings, *filter(None, map(_paste_warning, command.pasted))]
    return _Run(command, warnings=warnings, visible=command.pasted, pasted=command.pasted)


def _paste_warning(part: Expression) -> Problem | None:
    if part.mark != "raw" or part.roots.isdisjoint(("item", "key", "batch")):
        return None
    message = f"`{{{{ {part.source} }}}}` is pasted: whoever writes the items writes commands"
    return Problem(part.place, message, "without `| raw` the value is bound, and always plain data")


def _remark(part: Expression) -> tuple[str, str]:
    """What `batchwork plan` says of a value that stands in a command's text, where all others are bound to variables."""
    how = "as it is: what it holds becomes part of the command"
    if part.mark in MANY_WORDS:
        how = "as words of their own, each quoted for the shell"
    return "pasted", f"{{{{ {part.source.strip()} }}}}, line {part.place.line}: {how}"


def _compiled_argv(argv: Value) -> _Run:
    """A written list. A template may also give the whole list, of which nothing is known then."""
    visible = [*argv.templates()]
    if not isinstance(argv.json, list):
        return _Run(words=compile_argv(argv), problems=misplaced(argv, _ARGV_MARKS), visible=visible)
    if not argv.json:
        return _Run(problems=[Problem(argv.place, "`argv` is empty", "its first word is the program")])
    words = compile_argv(argv)
    problems = [*words.problems]
    if any("\0" in text for text in map(text_of, argv.json)):
        problems.append(Problem(argv.place, "a word of `argv` contains a NUL, which cannot be passed to a command"))
    return _Run(words=words, problems=problems, visible=visible)


def _program(fields: Given, run: _Run, setting: Setting) -> ShellProgram:
    _keep_secrets_out(run.visible, setting)
    used = frozenset(_UNIT).union(*(value.roots for value in fields.values()))
    return ShellProgram(
        prepare={
            "kind": "shell",
            "capture_limit": constant(fields, "capture_limit", setting, bytes_of, CAPTURE_LIMIT),
            "environ": _of_step(setting),
        },
        uses=used & setting.unit_names,
        cwd=setting.cwd,
        working_dir=value_of(fields, "working_dir"),
        env=value_of(fields, "env"),
        stdin=value_of(fields, "stdin"),
        line=_line(fields, run, setting),
        hidden=unmistakable(setting.secrets, setting.environ),
    )


def _of_step(setting: Setting) -> dict[str, str]:
    """What commands are told of their run and step."""
    run = setting.constants.get("run")
    names = {"BATCHWORK_STEP": setting.step}
    return names if not isinstance(run, Mapping) else {"BATCHWORK_RUN": str(run["id"]), **names}


def _line(fields: Given, run: _Run, setting: Setting) -> CommandLine | Words:
    if run.words is not None:
        return Words(run.words)
    launcher = _launcher(value_of(fields, "shell"), setting.constants)
    written, command = value_of(fields, "command"), run.command
    assert written is not None
    assert command is not None
    if written.template is not None and launcher[0] != _known_shell(fields)[0]:
        command = compile_command(written.template, launcher[0])  # which shell it is was not known before
    return CommandLine(command, (*launcher, "-c"), command.constant)


def _launcher(shell: Value | None, constants: Scope) -> tuple[str, ...]:
    """The shell and its options. Raises RenderError."""
    if shell is None:
        return (SHELL,)
    try:
        words = tuple(shlex.split(text_of(shell.render(constants))))
    except ValueError as error:
        raise RenderError(f"`shell` cannot be read: {error}") from None
    if not words:
        raise RenderError("`shell` is empty")
    return words


def _known_shell(fields: Given) -> tuple[str, Sequence[str] | None]:
    """The shell that a command is compiled for beforehand, the usual one where it is not known yet; its options, if known."""
    shell = value_of(fields, "shell")
    if shell is not None and not shell.is_constant:
        return SHELL, None
    try:
        words = _launcher(shell, {})
    except RenderError:  # told as a problem
        return SHELL, None
    return words[0], words[1:]


def _shell_problems(fields: Given) -> Iterator[Problem]:
    shell = value_of(fields, "shell")
    if shell is None or not shell.is_constant:
        return
    try:
        _launcher(shell, {})
    except RenderError as error:
        yield Problem(shell.place, error.message)


def _environment_problems(fields: Given) -> Iterator[Problem]:
    env = value_of(fields, "env")
    if env is not None and isinstance(env.json, dict):
        for name in env.json:
            if not VARIABLE.match(name):
                yield Problem(env.place, f"`{name}` cannot be the name of an environment variable")


def _keep_secrets_out(used: Iterable[Template | Expression], setting: Setting) -> None:
    """Arguments can be seen by every user of the machine."""
    for part in used:
        for path in part.paths:
            if path[0] == "env" and len(path) > 1 and path[1] in setting.secrets:
                raise RenderError(
                    f"the secret `{path[1]}` would stand in an argument list, where others can read it",
                    f'commands have it in their environment: "${path[1]}"; or give it by `stdin:`',
                )
