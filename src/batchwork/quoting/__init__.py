"""Values in shell commands: bound as environment variables that fit the place they stand in, never pasted. Nothing is run here."""

from __future__ import annotations

from batchwork.quoting.argv import compile_argv
from batchwork.quoting.command import STRING_MAX, ShellCommand, Variable, carried, compile_command

__all__ = ["STRING_MAX", "ShellCommand", "Variable", "carried", "compile_argv", "compile_command"]
