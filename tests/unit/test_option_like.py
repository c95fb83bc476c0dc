"""Values with a leading `-`: where they would be options of a command, and where they may stand."""

from __future__ import annotations

import pytest

from batchwork.errors import OptionLikeValue
from batchwork.quoting import compile_argv, compile_command
from batchwork.template import Value, compile_template

SCOPE = {
    "item": "-rf",
    "a": "",
    "n": -74.5,
    "text": "-1e3",
    "point": "-.5",
    "plain": "x",
    "xs": ["a", "-x"],
    "numbers": ["-1", -2],
    "yes": True,
    "no": False,
    "dash": "-",
    "words": "-a 'b c'",
    "one": "-1",
}


def refused(text: str) -> str:
    """The message, where the command is refused for the values of SCOPE; else nothing."""
    command = compile_command(compile_template(text), "/bin/bash")
    try:
        command.bind(SCOPE)
        command.text(SCOPE)
    except OptionLikeValue as error:
        return f"{error.message}; {error.hint}"
    return ""


def refused_words(words: object) -> str:
    compiled = compile_argv(Value.of(words))  # type: ignore[arg-type]
    assert not compiled.problems
    rendered = [str(word) for word in compiled.value.render(SCOPE)]  # type: ignore[attr-defined]
    try:
        compiled.check(rendered, SCOPE)
    except OptionLikeValue as error:
        return f"{error.message}; {error.hint}"
    return ""


REFUSED = {
    "a bare word": "rm {{ item }}",
    "double quotes": 'rm "{{ item }}"',
    "single quotes": "rm '{{ item }}'",
    "empty quotes before it": 'rm ""{{ item }}',
    "the author's own script": "./tool.sh {{ item }}",
    "an argument of an option": "grep -e {{ item }} f",
    "after other words": "cp a b {{ item }}",
    "a lone dash": "cat {{ dash }}",
    "with text behind it": "rm {{ item }}.txt",
    "an empty value before it": "rm {{ a }}{{ item }}",
    "a dash and a number": "rm {{ dash }}{{ plain }}{{ text }}",
    "a number and more": "rm {{ one }}{{ plain }}",
    "an expression": "rm {{ item ~ '.txt' }}",
    "a literal that is not at the beginning": "rm {{ item | replace('-', '--') }}",
    "a condition's other branch": "rm {{ item if yes else '-x' }}",
    "a default that is not used": "rm {{ item | default('-') }}",
    "in a substitution": 'echo "$(ls {{ item }})"',
    "in a subshell": "(cd {{ item }} && ls)",
    "behind a pipe": "echo a | sort {{ item }}",
    "in a function": "f() { ls {{ item }}; }; f",
    "of a function": 'f() { printf "%s" "$1"; }; f {{ item }}',
    "behind a variable": "X=1 rm {{ item }}",
    "behind sudo": "sudo rm {{ item }}",
    "after sudo's own --": "sudo -u bob -- rm {{ item }}",
    "after env's own --": "env -u X -- rm {{ item }}",
    "after xargs's own --": "xargs -n 1 -- rm {{ item }}",
    "after nice's own --": "nice -n 5 -- rm {{ item }}",
    "after timeout's own --": "timeout -k 5 -- 10 rm {{ item }}",
    "after the -- of two wrappers": "sudo -- nice -- rm {{ item }}",
    "of a wrapper itself": "sudo -u {{ item }} rm -- x",
    "after kubectl's own --": "kubectl exec pod -- rm {{ item }}",
    "after npm's own --": "npm run build -- {{ item }}",
    "after the -- of find, which ends nothing": "find -- {{ item }} -print",
    "the command of a wrapper": "nohup {{ item }}",
    "each element of args": "ls {{ xs | args }}",
    "one element of args": "ls -l {{ [plain, item] | args }}",
    "braces": "ls {a,{{ item }}}",
    "several lines": "echo a\nls {{ item }}\n",
    "in a condition": "if grep {{ item }} f; then ls; fi",
    "in a loop": 'for x in a; do ls {{ item }} "$x"; done',
    "in a case": "case a in a) ls {{ item }};; esac",
    "cd": "cd {{ item }}",
    "printf's sister": "print {{ item }}",
}


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
@pytest.mark.fault("F05")
def test_a_value_would_be_an_option(text: str) -> None:
    said = refused(text)
    for way in ("--", "./{{", "--name={{", "| option }}"):
        assert way in said


ALLOWED = {
    "after the file's own text": "grep --file={{ item }} -o{{ item }} -{{ item }} ./{{ item }} a{{ item }}",
    "after --": "rm -- {{ item }} {{ item }}",
    "args after --": "rm -- {{ xs | args }}",
    "after -- behind wrappers": "sudo -u bob nice -n 5 timeout 5 rm -- {{ item }}",
    "after both --": "sudo -- rm -- {{ item }}",
    "after the second -- of kubectl": "kubectl exec pod -- rm -- {{ item }}",
    "allowed by the author": "ls {{ item | option }} {{ a }}{{ item | option }}",
    "words are the author's wish": "ls {{ words | words }}",
    "pasted": "ls {{ item | raw }}",
    "numbers": "seq {{ n }} {{ text }} {{ point }}",
    "numbers as elements": "seq {{ numbers | args }}",
    "numbers with the file's text": "draw {{ n }},{{ one }}",
    "a number in two parts": "seq {{ dash }}{{ 5 }}",
    "a literal of the file": "ls {{ '-l' if yes else '-a' }} {{ '--size=' ~ item }} {{ '-x' + item }}",
    "a literal that is used": "ls {{ '-a' if no else '-l' }} {{ nothing | default('-q') }}",
    "a formatted literal": "ls {{ '--size=%s' | format(item) }} {{ '-x{}'.format(item) }} {{ '-%s' % item }}",
    "a literal taken from a mapping": "ls {{ {'x': '-l'}[plain] }}",
    "literals among elements": "ls {{ ['-l', plain] | args }}",
    "the file's dash after an empty value": "ls {{ a }}-{{ item }}",
    "echo, printf, test": 'echo {{ item }}; /bin/echo "{{ item }}"; printf %s {{ item }}; test {{ item }} = x || [ {{ item }} = y ]',
    "echo behind sudo": "sudo -u bob echo {{ item }}",
    "assignments": "x={{ item }}; y={{ item }} ls; export z={{ item }}; a=({{ item }} {{ item }}); a[1]={{ item }}",
    "redirections": "cat < {{ item }} > {{ item }} 2>> {{ item }} <<< {{ item }}",
    "case": "case {{ item }} in {{ item }}) ;; esac",
    "for": 'for x in {{ item }} {{ xs | args }}; do echo "$x"; done',
    "conditions": "[[ {{ item }} == {{ item }} ]]",
    "a comment": "ls # {{ item }}",
    "the command itself": "{{ item }} x",
}


@pytest.mark.parametrize("text", ALLOWED.values(), ids=ALLOWED)
@pytest.mark.promise("3.29", "3.30")
def test_a_leading_dash_is_allowed(text: str) -> None:
    assert refused(text) == ""


@pytest.mark.parametrize(
    "words",
    [
        ["rm", "{{ item }}"],
        ["rm", "{{ a }}{{ item }}"],
        ["sudo", "--", "rm", "{{ item }}"],
        ["rm", "{% if yes %}{{ item }}{% endif %}"],
        ["rm", "{{ item if yes else '-x' }}"],
        "{{ ['rm', item] }}",
        "{{ ['rm'] + xs }}",
        "{{ [plain] + xs }}",
        "{{ ['rm', item, '--'] }}",
    ],
)
@pytest.mark.promise("3.28")
def test_words_of_a_list_are_checked_too(words: object) -> None:
    said = refused_words(words)
    for way in ("--", "./{{", "--name={{", "| option }}"):
        assert way in said


@pytest.mark.parametrize(
    "words",
    [
        ["rm", "-r", "--", "{{ item }}"],
        ["rm", "./{{ item }}", "--x={{ item }}", "{{ item | option }}", "{{ n }}"],
        ["ls", "{% if yes %}-l{% else %}-a{% endif %}"],
        ["echo", "{{ item }}"],
        ["{{ item }}", "x"],
        "{{ ['rm', '-f', '--', item] }}",
        "{{ ['rm', '--'] + xs }}",
        "{{ ['rm', '-' ~ plain, n] }}",
        "{{ (['rm'] + xs) | option }}",
    ],
)
def test_words_of_a_list_may_have_a_leading_dash(words: object) -> None:
    assert refused_words(words) == ""


@pytest.mark.parametrize("text", ["-74.5", "-1e3", "-.5", "-5.", "-1E-3", "12"])
@pytest.mark.promise("3.29")
def test_numbers_are_no_options(text: str) -> None:
    command = compile_command(compile_template("draw {{ item }}"))
    assert command.bind({"item": text}) == {"BW_1": text}


@pytest.mark.parametrize("text", ["-1x", "-0x1f", "-", "--1", "-1 -x", "-1\n", "-e3", "-inf", "-١"])
def test_what_is_almost_a_number_is_an_option(text: str) -> None:
    with pytest.raises(OptionLikeValue):
        compile_command(compile_template("draw {{ item }}")).bind({"item": text})


@pytest.mark.fault("F05")
@pytest.mark.promise("3.27")
def test_the_message_names_command_value_and_ways_out() -> None:
    said = refused("sudo rm -r {{ item }}")
    assert said.startswith(
        "`rm` would take the value of `{{ item }}` for an option, for it begins with a `-`; write `rm -- {{ item }}`"
    )
    assert "-rf" not in said


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ("", []),
        (" \t\n", []),
        (None, []),
        ("-n 3 --title 'two words'", ["-n", "3", "--title", "two words"]),
        ('-a "$(x)" ;x *', ["-a", "$(x)", ";x", "*"]),
        ("a'b'\"c\"\\ d e", ["abc d", "e"]),
        ("'' \"\"", ["", ""]),
        ('"\\$x \\a \\\\ \\" \\`"', ['$x \\a \\ " `']),
        ("a\\\nb 'c\\'", ["ab", "c\\"]),
        ("# no comment", ["#", "no", "comment"]),
        (5, ["5"]),
    ],
)
@pytest.mark.promise("3.24")
def test_words_are_split_as_a_shell_splits_them(options: object, words: list[str]) -> None:
    import shlex

    command = compile_command(compile_template("x {{ item | words }} y"))
    assert command.text({"item": options}) == f"x {' '.join(map(shlex.quote, words))} y"
