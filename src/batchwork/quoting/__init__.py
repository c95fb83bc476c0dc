"""Values in shell commands: bound as environment variables that fit the place they stand in, never pasted. Nothing is run here."""

from __future__ import annotations

from batchwork.quoting.argv import ArgumentList, compile_argv
from batchwork.quoting.command import compile_command, hidden_failures
from batchwork.quoting.shell_command import STRING_MAX, ShellCommand, Variable, carried

__all__ = [
    "STRING_MAX",
    "ArgumentList",
    "ShellCommand",
    "Variable",
    "carried",
    "compile_argv",
    "compile_command",
    "hidden_failures",
]
