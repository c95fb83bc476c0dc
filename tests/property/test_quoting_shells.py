"""Bound values in real shells: whatever the item is, the command gets exactly its text, and nothing of it is run."""

from __future__ import annotations

import json
import os
import re
import shlex
import subprocess
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from shutil import which

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from batchwork.errors import BindError, OptionLikeValue
from batchwork.quoting import ShellCommand, compile_command
from batchwork.quoting.arguments import is_number
from batchwork.quoting.split_words import UnclosedQuote, split_words
from batchwork.template import compile_template, text_of

SHELLS = [shell for shell in ("sh", "bash", "dash", "zsh", "ksh", "busybox") if which(shell)]
END = b"\x01\n"

CONTEXTS = {
    "bare": "printf '%s' {{ item }}",
    "double": "printf '%s' \"{{ item }}\"",
    "single": "printf '%s' '{{ item }}'",
    "substitution": "x=$(printf '%s.' {{ item }}); printf '%s' \"${x%.}\"",
    "double in substitution in double": "printf '%s' \"$(printf '%s.' \"{{ item }}\")\" | sed '$s/\\.$//'",
    "single in substitution": "x=$(printf '%s.' '{{ item }}'); printf '%s' \"${x%.}\"",
    "assignment": "x={{ item }}; printf '%s' \"$x\"",
    "case": "case {{ item }} in {{ item }}) printf '%s' {{ item }};; *) echo wrong;; esac",
    "for": "for x in {{ item }}; do printf '%s' \"$x\"; done",
    "function": "f() { printf '%s' \"$2\"; }; f -- {{ item }}",
    "argument of sh -c": 'sh -c \'printf "%s" "$1"\' -- {{ item }}',
    "args": "printf '%s' {{ [item] | args }}",
    "environment": 'X={{ item }} sh -c \'printf "%s" "$X"\'',
    "comment": "# {{ item }}\nprintf '%s' {{ item }}",
    "backticks": "x=`printf '%s.' {{ item }}`; printf '%s' \"${x%.}\"",
    "double in backticks in double": "x=\"`printf '%s.' \\\"{{ item }}\\\" '#' # {{ item }}`\"; x=${x%#.}; printf '%s' \"${x%.}\"",
    "backticks in backticks": "x=`printf '%s.' \"\\`printf '%s:' {{ item }}\\`\"`; printf '%s' \"${x%:.}\"",
    "here-document": "x=$(cat <<EOF\n{{ item }}.\nEOF\n); printf '%s' \"${x%.}\"",
    "here-document with tabs": "x=$(cat <<-EOF\n\t$(printf '%s.' {{ item }})\n\tEOF\n); printf '%s' \"${x%.}\"",
    "pattern": "x=a{{ item }}; y=${x#a{{ item }}}; printf '%s' \"$y\"; printf '%s' \"${x#a}\"",
    "pattern in double quotes": 'x={{ item }}b; printf \'%s\' "${x#"{{ item }}"}" | tr -d b; printf \'%s\' "${x%b}"',
    "after --": "f() { shift; printf '%s' \"$1\"; }; f -- {{ item }}",
    "option": "f() { printf '%s' \"$1\"; }; f {{ item | option }}",
    "subshell": "(printf '%s' {{ item }})",
    "glued": 'x=a\'b\'"{{ item }}"\'{{ item }}\'{{ item }}; y={{ item }}; z=${x#ab"$y"}; printf \'%s\' "${z#"$y"}"',
}
BASH_CONTEXTS = {
    "here-string": "x=$(cat <<< {{ item }}; printf .); x=${x%.}; printf '%s' \"${x%$'\\n'}\"",
    "condition": "[[ {{ item }} == {{ item }} ]] && printf '%s' {{ item }}",
    "array": "a=(x {{ item }}); printf '%s' \"${a[1]}\"",
    "process": "cat <(printf '%s' {{ item }})",
    "replaced pattern": "x=a{{ item }}b; y=${x/{{ item }}/}; z={{ item }}; [[ $z && $y != ab ]] && printf wrong; printf '%s' {{ item }}",
    "local": "f() { local x={{ item }}; printf '%s' \"$x\"; }; f",
}

OWN = [
    *("", " ", "a b", "it's", '"', "'", "\\", "\\\\", "$(touch PWN)", "`touch PWN`", "; touch PWN #", "| touch PWN"),
    *(
        "a\ntouch PWN\n",
        "$((a[$(touch PWN)]))",
        "a[$(touch PWN)]",
        "${x:-$(touch PWN)}",
        "!!",
        "~",
        "*",
        "?",
        "[a-z]",
        "{a,b}",
    ),
    *(
        "-n",
        "-e",
        "--",
        "%s%n%d",
        "\r\n",
        "\t",
        "\x01",
        "\x7f",
        "\udcff\udcfe",
        "é漢字\u2028",
        "'\"'\"'",
        '"; touch PWN; "',
    ),
    *("EOF\ntouch PWN\nEOF", "$'\\x41'", "<(touch PWN)", "&", "#c", "=x", "${BW_1}", "$BW_1", "\n\n", "\\\n", "a\\"),
]


def nasty() -> list[object]:
    file = Path(__file__).resolve().parents[3] / "shared" / "faultkit" / "nasty_items.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.is_file() else []


@lru_cache(maxsize=256)
def compiled(text: str, shell: str) -> ShellCommand:
    return compile_command(compile_template(text), f"/bin/{shell}")


def output(shell: str, text: str, item: object, folder: Path) -> bytes:
    command = compiled(text, shell)
    scope = {"item": item}
    argv = [shell, *(["sh"] if shell == "busybox" else []), "-c", command.text(scope)]
    environ = {**os.environ, **command.bind(scope)}
    done = subprocess.run(argv, env=environ, cwd=folder, capture_output=True, check=False)
    assert done.returncode == 0, (argv, done.stderr)
    assert not list(folder.iterdir()), (argv, item)
    return done.stdout


def contexts(shell: str) -> dict[str, str]:
    return {**CONTEXTS, **BASH_CONTEXTS} if shell == "bash" else CONTEXTS


@pytest.mark.fault("F01")
@pytest.mark.parametrize("context", [*CONTEXTS, *BASH_CONTEXTS])
@pytest.mark.parametrize("shell", SHELLS)
def test_nasty_items_arrive_byte_for_byte(shell: str, context: str, tmp_path: Path) -> None:
    text = contexts(shell).get(context)
    if text is None:
        pytest.skip("not of this shell")
    items: Sequence[object] = [item for item in [*OWN, *nasty()] if "\0" not in str(item)]
    if context in ("double in substitution in double",):
        items = [item for item in items if text_of(item).isascii() and not text_of(item).endswith(("\n", "\\\n"))]
    script, environ = batched(shell, text, items)
    done = subprocess.run(
        [shell, *(["sh"] if shell == "busybox" else []), "-c", script],
        env={**os.environ, **environ},
        cwd=tmp_path,
        capture_output=True,
        check=False,
    )
    expected = [text_of(item).encode("utf-8", "surrogateescape") for item in items]
    assert done.stdout.split(END)[:-1] == expected, done.stderr
    assert not list(tmp_path.iterdir())


def batched(shell: str, text: str, items: Sequence[object]) -> tuple[str, dict[str, str]]:
    """One script that runs the command for each item in turn (a process for each would take minutes)."""
    parts = []
    environ: dict[str, str] = {}
    for number, item in enumerate(items):
        command = compiled(text, shell)
        part = command.text({"item": item})
        for name, value in command.bind({"item": item}).items():
            mine = f"N{number}_{name}"
            part = part.replace("${" + name + "}", "${" + mine + "}")
            environ[mine] = value
        parts.append(part + "\nprintf '\\001\\n'\n")
    return "".join(parts), environ


@pytest.mark.fault("F06")
@pytest.mark.parametrize("item", ["a\0b", "\0"])
@pytest.mark.parametrize("context", CONTEXTS)
def test_a_nul_is_refused_everywhere(context: str, item: str) -> None:
    command = compiled(CONTEXTS[context], "sh")
    with pytest.raises(BindError, match="NUL, which cannot be passed to a command"):
        command.bind({"item": item})
        command.text({"item": item})


alphabet = st.one_of(
    st.sampled_from(list("'\"\\$`(){}[];|&<>#!*?~-=%@: \t\nab1")),
    st.characters(exclude_characters="\0", exclude_categories=["Cs"]),
)


@pytest.mark.fault("F01")
@settings(max_examples=60)
@given(
    item=st.text(alphabet, max_size=40),
    context=st.sampled_from(sorted(CONTEXTS.keys() - {"double in substitution in double"})),
)
@example(item="$(touch PWN)'\"`touch PWN`", context="single")
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.promise("3.22")
def test_any_text_arrives_byte_for_byte(
    shell: str, item: str, context: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "empty"
    folder.mkdir(exist_ok=True)
    assert output(shell, CONTEXTS[context], item, folder) == item.encode()


@settings(max_examples=40)
@given(
    pieces=st.lists(
        st.sampled_from(
            ["{{ item }}", '"a {{ item }}"', "'{{ item }}'", "\"$(printf %s '{{ item }}')\"", "\\'", "x", "$(echo a)"]
        ),
        min_size=1,
        max_size=6,
    ),
    item=st.text(st.sampled_from(list("'\"\\$`();|&<>#*?~- ab")), max_size=12),
)
@pytest.mark.parametrize("shell", SHELLS)
def test_quotes_in_any_order_are_read_as_the_shell_reads_them(
    shell: str, pieces: list[str], item: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "empty"
    folder.mkdir(exist_ok=True)
    values = {
        "{{ item }}": item,
        '"a {{ item }}"': f"a {item}",
        "'{{ item }}'": item,
        "\\'": "'",
        "x": "x",
        "$(echo a)": "a",
    }
    expected = "".join(values.get(piece, item) for piece in pieces)
    assert output(shell, "printf %s " + "".join(pieces), item, folder) == expected.encode()


@settings(max_examples=60)
@given(words=st.lists(st.text(alphabet, max_size=10), max_size=5), separator=st.sampled_from([" ", "  ", "\t", " \n "]))
@pytest.mark.parametrize("shell", SHELLS)
def test_words_of_an_option_string_are_those_of_the_shell(
    shell: str, words: list[str], separator: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "empty"
    folder.mkdir(exist_ok=True)
    text = separator.join(map(shlex.quote, words))
    expected = "".join(f"<{word}>" for word in words) + "<>"
    assert output(shell, "printf '<%s>' {{ item | words }} ''", text, folder) == expected.encode()


@settings(max_examples=100)
@given(text=st.text(st.sampled_from(list("ab '\"\\\n")), max_size=12))
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.promise("3.24")
def test_an_option_string_is_split_as_the_shell_splits_it(
    shell: str, text: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    try:
        words = split_words(text)
    except UnclosedQuote:
        return
    if text.endswith("\\") or "\n" in re.sub(r"\\\n|'[^']*'|\"(?:[^\"\\]|\\.)*\"|\\.", "", text, flags=re.DOTALL):
        return  # to the shell a line's end is the end of a command
    done = subprocess.run([shell, "-c", f"printf '<%s>' {text} ''"], capture_output=True, check=True)
    assert done.stdout.decode() == "".join(f"<{word}>" for word in words) + "<>"


@settings(max_examples=60)
@given(
    item=st.text(st.sampled_from(list("-+.e1 x\n")), max_size=6), before=st.sampled_from(["", "--", "./", "-x", "a"])
)
@pytest.mark.parametrize("shell", SHELLS)
@pytest.mark.promise("3.26")
def test_no_argument_begins_with_a_dash_of_a_value(
    shell: str, item: str, before: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.getbasetemp() / "empty"
    folder.mkdir(exist_ok=True)
    text = "f() { printf '%s' \"$1\"; }; f " + before + "{{ item }}"
    try:
        seen = output(shell, text, item, folder).decode()
    except OptionLikeValue:
        assert item.startswith("-")
        assert before == ""
        return
    assert seen == before + item
    assert before or not seen.startswith("-") or is_number(seen)
