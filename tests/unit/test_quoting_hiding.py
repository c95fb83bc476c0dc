"""Commands whose failure nobody would see, and shells and commands that see to it."""

from __future__ import annotations

import pytest

from batchwork.errors import NOWHERE, Place
from batchwork.quoting import compile_command, hidden_failures
from batchwork.template import compile_template


def hidden(text: str, *options: str) -> list[str]:
    """What is said of the command as it stands, which is the same where a value is in it."""
    found = [warning.message for warning in hidden_failures(text, NOWHERE, "/bin/bash", options)]
    command = compile_command(compile_template(text + "\n: {{ item }}"), "/bin/bash", options)
    with_value = [warning.message for warning in command.warnings]
    assert len(found) <= 1
    assert with_value or not found
    return found


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("cat a | gzip > b", "`cat` is hidden: of a pipe"),
        ("a | b | c", "`a` is hidden: of a pipe"),
        ("echo x | a | b", "`a` is hidden: of a pipe"),
        ("a |& b", "`a` is hidden: of a pipe"),
        ("(a; b) | c", "hidden"),
        ("for x in 1 2; do a; done | b", "hidden"),
        ("x=$(a | b)", "`a` is hidden: of a pipe"),
        ("if true; then a | b; fi", "`a` is hidden: of a pipe"),
        ("a; b", "`a` is hidden by what comes after it"),
        ("a\nb", "`a` is hidden by what comes after it"),
        ("a && b; c", "`b` is hidden by what comes after it"),
        ("cd x; rm -r y", "`cd` is hidden by what comes after it"),
        ("x=$(a); echo $x", "a command in `$( )` is hidden by what comes after it"),
        ("for x in 1 2; do a $x; done", "`a` is hidden by what comes after it"),
        ("f() { a; b; }; f", "`a` is hidden by what comes after it"),
        ("if a; then b; c; fi", "`b` is hidden by what comes after it"),
        ("sudo a; b", "`a` is hidden by what comes after it"),
        ("$x; b", "a command is hidden by what comes after it"),
        ("a; set -e; b", "`a` is hidden by what comes after it"),
    ],
)
@pytest.mark.promise("3.40")
def test_a_hidden_failure_is_warned_of(text: str, said: str) -> None:
    (message,) = hidden(text)
    assert said in message


@pytest.mark.parametrize(
    "text",
    [
        "a",
        "a && b && c",
        "a || b",
        "a && b || { c; }",
        "set -e; a; b",
        "set -euo pipefail\na | b\nc",
        "set -o errexit; a; b",
        "set -o pipefail; a | b",
        "echo x | a",
        "printf '%s' x | a > b",
        "cat <<EOF | a\nx\nEOF",
        "x=1; y=$x; a",
        "x=$(echo 1); a",
        "echo a; printf b; a",
        "if a; then b; else c; fi",
        "if a; b; then c; fi",
        "while a; do echo x; done",
        "[ -e x ] && a",
        "case x in a) b;; c) d;; esac",
        "f() { a && b; }; f",
        "for x in 1 2; do a || exit 1; done",
        "trap 'a' EXIT; b",
        "",
        "a 'unclosed",
    ],
)
@pytest.mark.promise("3.40")
def test_what_hides_nothing_is_not_warned_of(text: str) -> None:
    assert hidden_failures(text, NOWHERE, "/bin/sh", ()) == ()


@pytest.mark.parametrize(
    ("options", "pipe", "sequence"),
    [
        ([], 1, 1),
        (["-e"], 1, 0),
        (["-o", "pipefail"], 0, 1),
        (["-euo", "pipefail"], 0, 0),
        (["-o", "errexit", "-o", "pipefail"], 0, 0),
        (["-u"], 1, 1),
        (["--norc"], 1, 1),
    ],
)
def test_the_options_of_the_shell_count(options: list[str], pipe: int, sequence: int) -> None:
    assert len(hidden("a | b", *options)) == pipe
    assert len(hidden("a; b", *options)) == sequence


def test_the_warning_names_the_line_and_what_to_write() -> None:
    (warning,) = hidden_failures("echo\nset -u\na | b", Place("w.yaml", 5, 3), "/bin/sh", ())
    assert warning.place.line == 7
    for way in ("&&", "set -e", "shell: bash -euo pipefail"):
        assert way in warning.hint


def test_other_shells_and_unknown_options_are_left_alone() -> None:
    assert hidden_failures("a | b", NOWHERE, "/usr/bin/fish", ()) == ()
    assert compile_command(compile_template("a | b {{ item }}")).warnings == ()
