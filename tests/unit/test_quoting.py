"""Shell commands: where values may stand, what is refused and with which rewrite, what is bound."""

from __future__ import annotations

import pytest

from batchwork.errors import BindError, Place, RenderError, WorkflowError
from batchwork.quoting import STRING_MAX, ShellCommand, compile_argv, compile_command
from batchwork.template import Value, compile_template


def compiled(text: str, shell: str = "/bin/sh") -> ShellCommand:
    return compile_command(compile_template(text, Place("w.yaml", 6, 20)), shell)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("echo {{ item }}", 'echo "${BW_1}"'),
        ("echo {{ item }}{{ item }} {{ key }}", 'echo "${BW_1}""${BW_1}" "${BW_2}"'),
        ("echo {{item}} {{ item  }}", 'echo "${BW_1}" "${BW_1}"'),
        ('echo "a {{ item }} b"', 'echo "a ${BW_1} b"'),
        ("echo 'it {{ item }}'", "echo 'it '\"${BW_1}\"''"),
        ("x=\"$(printf %s {{ item }} '{{ item }}')\"", 'x="$(printf %s "${BW_1}" \'\'"${BW_1}"\'\')"'),
        ("echo $(a $(b {{ item }}) '{{ item }}')", "echo $(a $(b \"${BW_1}\") ''\"${BW_1}\"'')"),
        ("echo a # see {{ item }} it's\necho {{ item }}", 'echo a # see item it\'s\necho "${BW_1}"'),
        ("echo a#b {{ item }}", 'echo a#b "${BW_1}"'),
        ("echo it\\'s {{ item }}", 'echo it\\\'s "${BW_1}"'),
        ('echo "\\"{{ item }}\\""', 'echo "\\"${BW_1}\\""'),
        ("echo '\\'{{ item }}", "echo '\\'\"${BW_1}\""),
        ("echo \\\\{{ item }}", 'echo \\\\"${BW_1}"'),
        ('echo "\\${{ item }}"', 'echo "\\$${BW_1}"'),
        ("cat <<'EOF'\nit's $( `\nEOF\necho {{ item }}", "cat <<'EOF'\nit's $( `\nEOF\necho \"${BW_1}\""),
        ("cat <<-EOF; echo {{ item }}\n\tit's\n\tEOF\necho {{ item }}", None),
        ("cat <<< {{ item }}", 'cat <<< "${BW_1}"'),
        ("case {{ item }} in a) echo {{ x }};; {{ b }}|c) y ;; esac; echo '{{ z }}'", None),
        ("y=$(case x in a) echo {{ item }};; (b) c;; esac); echo '{{ z }}'", None),
        ('echo "$(wc -l < {{ f }})" $(( $(wc -l < {{ f }}) + 1 ))', None),
        ("x=$((n + {{ n | int }})); x=$((1-{{ n | int }}))", "x=$((n + ${BW_1})); x=$((1-(${BW_1})))"),
        ("a[{{ i | int }}]={{ v }}", 'a[${BW_1}]="${BW_2}"'),
        ("a=({{ x }} 'b c'); echo {{ y }}", 'a=("${BW_1}" \'b c\'); echo "${BW_2}"'),
        ("diff <(sort -- {{ a }}) <(sort -- {{ b }}) 2>{{ err }}", None),
        ("f() { echo {{ item }}; }; f", 'f() { echo "${BW_1}"; }; f'),
        ("if [ -n {{ item }} ]; then echo '{{ item }}'; fi", None),
        ("while read -r l; do echo {{ item }}; done < {{ f }} | sort && { echo {{ x }}; }", None),
        ('for x in {{ item }} b; do echo "$x"; done', None),
        ("[[ {{ a }} == {{ b }} && -n {{ c }} ]]", '[[ "${BW_1}" == "${BW_2}" && -n "${BW_3}" ]]'),
        ("[[ {{ a | int }} -eq 3 ]]", '[[ "${BW_1}" -eq 3 ]]'),
        ("[ {{ a }} -eq 3 ]", '[ "${BW_1}" -eq 3 ]'),
        ("echo ${x:-`y`} {{ item }} $$ $# ${#x} $1", 'echo ${x:-`y`} "${BW_1}" $$ $# ${#x} $1'),
        ("echo BW_1 {{ item }}", 'echo BW_1 "${XBW_1}"'),
        ("FOO={{ item }} cmd --x={{ item }}", 'FOO="${BW_1}" cmd --x="${BW_1}"'),
        ("ls {{ dir }}/*.txt ~/{{ x }}", 'ls "${BW_1}"/*.txt ~/"${BW_2}"'),
        ("echo a \\\n  {{ item }}", 'echo a \\\n  "${BW_1}"'),
        ("x=`basename -- {{ item }}`; echo `date`", 'x=$( basename -- "${BW_1}"); echo `date`'),
        ('echo "`cat \\"{{ item }}\\"`"', 'echo "$( cat "${BW_1}")"'),
        ("echo `echo \\`cat {{ item }}\\` \\$x # a`", 'echo $( echo $( cat "${BW_1}") $x # a\n)'),
        ("echo '`{{ item }}`' \\`{{ item }}", "echo '`'\"${BW_1}\"'`' \\`\"${BW_1}\""),
        ('cat <<EOF\na {{ item }} "{{ item }}" $(cat {{ f }}) `cat {{ f }}`\nEOF\necho {{ item }}', None),
        (
            "cat <<A <<-B > {{ f }}\n{{ a }}\nA\n\t{{ b }}\n\tB\n",
            'cat <<A <<-B > "${BW_1}"\n${BW_2}\nA\n\t${BW_3}\n\tB\n',
        ),
        ('echo ${x/{{ a }}/b} "${x//{{ a }}}"', 'echo ${x/"${BW_1}"/b} "${x//"${BW_1}"}"'),
        ('echo "${x#{{ a }}}" ${x%%"{{ a }}".*} ${x[0]/%{{ a }}/$(y {{ a }})}', None),
        ("compgen -G {{ pattern }}", 'compgen -G "${BW_1}"'),
        ("[[ $(wc -l < {{ item }}) -gt 1 && $(echo {{ item }} | wc -c) -lt 5 ]]", None),
        ("let n=$(wc -l < {{ item }})", 'let n=$(wc -l < "${BW_1}")'),
    ],
)
@pytest.mark.promise("3.21", "3.37")
def test_values_are_bound_by_the_place_they_stand_in(text: str, command: str | None) -> None:
    found = compiled(text)
    assert not found.pasted
    if command is not None:
        assert found.constant == command
    assert "{{" not in str(found.constant)


REFUSED = [
    ("echo ${x:-{{ item }}}", r"\$\{…\}", "x={{ item }}"),
    ("echo \"${x/'{{ item }}'/b}\"", r"\$\{…\}", "x={{ item }}"),
    ("echo ${x:{{ item }}}", r"\$\{…\}", "x={{ item }}"),
    ("echo ${x[{{ item }}]#a}", r"\$\{…\}", "x={{ item }}"),
    ("echo `echo \\`eval {{ item }}\\``", "eval", "raw"),
    ("echo `sh -c 'x {{ item }}'`", "sh -c", "argument"),
    ('echo "${x:-$(y {{ item }})}"', r"\$\{…\}", "x={{ item }}"),
    ("echo $'a{{ item }}'", r"\$'…'", "{{ item }}"),
    ("cat <<'EOF'\n{{ item }}\nEOF", "here-document", "stdin"),
    ("cat <<-\\EOF\n\t{{ item }}\n\tEOF", "here-document", "quotes"),
    ("cat <<EOF\n\\{{ item }}\nEOF", "backslash", "two"),
    ("cat <<EOF\n$(( {{ item }} ))\nEOF", "arithmetic", "int"),
    ("cat <<EOF\n$(eval {{ item }})\nEOF", "eval", "raw"),
    ("bash <<EOF\necho {{ item }}\nEOF", "bash <<<", "-s --"),
    ("python3 - <<EOF\nprint('{{ item }}')\nEOF", "python3 <<<", "sys.argv"),
    ("psql shop <<EOF\nselect '{{ item }}';\nEOF", "psql <<<", ":'v'"),
    ("ssh host <<EOF\nrm {{ item }}\nEOF", "ssh <<<", "standard input"),
    ("[[ $(echo {{ item }}) -gt 1 ]]", "-gt", "int"),
    ("compgen -W {{ item }}", "compgen", "constant"),
    ("cat <<{{ item }}\nEOF", "here-document", "constant"),
    ("echo $(( {{ item }} ))", r"\$\(\( ", r"\{\{ item \| int \}\}"),
    ("echo $((x + '{{ item }}'))", "arithmetic", "int"),
    ("echo $(( $(echo ')') + {{ item }} ))", "arithmetic", "int"),
    ("echo $[ a[1] + {{ item }} ]", "arithmetic", "int"),
    ("(( x = {{ item }} ))", "arithmetic", "int"),
    ("for ((i=0; i<{{ n }}; i++)); do x; done", "arithmetic", "int"),
    ("$((echo a); echo {{ item }})", "arithmetic", "int"),
    ("a[{{ i }}]=1", "subscript", "int"),
    ("a[b[{{ i }}]]=1", "subscript", "int"),
    ("a=([{{ i }}]=1)", "subscript", "int"),
    ("[[ {{ a }} -eq 1 ]]", "-eq", "int"),
    ("[[ 1 -lt {{ a }} ]]", "-lt", "int"),
    ("[[ -v {{ a }} ]]", "-v", "-n"),
    ("test -v {{ a }}", "test -v", "-n"),
    ("[ -v {{ a }} ]", "test -v", "-n"),
    ("[ {{ a }} {{ b }} ]", "-v", "operator"),
    ("let x={{ item }}", "let", "int"),
    ("let 'x = {{ item }}'", "let", "int"),
    ("trap 'echo {{ item }}' EXIT", "trap", "constant"),
    ("trap {{ item }} EXIT", "trap", "constant"),
    ("alias x={{ item }}", "alias", "constant"),
    ("printf -v {{ item }} x", "printf -v", "name"),
    ("printf {{ a }} {{ b }}", "printf -v", "'%s'"),
    ("read {{ item }}", "read", "name"),
    ("unset {{ item }}", "unset", "name"),
    ("export {{ item }}", "export", "name"),
    ("declare -i x={{ item }}", "declare -i", "int"),
    ("declare -a x={{ item }}", "declare -a", ""),
    ("PS4={{ item }}", "PS4", ""),
    ("BASH_ENV={{ item }} bash x", "BASH_ENV", ""),
    ("eval echo {{ item }}", "eval", "raw"),
    ('eval "$(printf %s {{ item }})"', "eval", ""),
    ("command eval {{ item }}", "eval", ""),
    ("if true; then eval {{ item }}; fi", "eval", ""),
    ("x=$(eval {{ item }})", "eval", ""),
    ('sh -c "echo {{ item }}"', "sh -c", "argument"),
    ("sh -c 'echo {{ item }}'", "sh -c", "argument"),
    ("sh -c {{ item }}", "sh -c", "argument"),
    ("/bin/bash -euc {{ item }}", "bash -c", "argument"),
    ("bash -o pipefail -c {{ item }} x", "bash -c", "argument"),
    ("bash -{{ opts }} x", "bash -c", "argument"),
    ("dash -c -- '{{ item }}'", "dash -c", "argument"),
    ("sudo -u x sh -c '{{ item }}'", "sh -c", "argument"),
    ("exec nohup nice -n 5 zsh -c '{{ item }}'", "zsh -c", "argument"),
    ("time timeout 5 ksh -c '{{ item }}'", "ksh -c", "argument"),
    ("xargs -0 -n1 sh -c 'echo {{ item }}'", "sh -c", "argument"),
    ("find {{ d }} -exec sh -c 'x {{ item }}' \\;", "sh -c", "argument"),
    ("docker exec c bash -c 'x {{ item }}'", "bash -c", "argument"),
    ("echo {{ item }} | sh", "echo … | sh", "argument"),
    ("printf '%s' {{ item }} | bash -s", "printf … | bash", "argument"),
    ("sh <<< {{ item }}", "sh <<<", "argument"),
    (". <(echo {{ item }})", r"\. <\(", "argument"),
    ("awk '{print {{ item }}}' f", "awk", "ENVIRON"),
    ('gawk -F: -v x={{ ok }} "{{ item }}" f', "gawk", "ENVIRON"),
    ("awk -f x.awk -e {{ item }}", "awk", "ENVIRON"),
    ("sed s/a/{{ item }}/ f", "sed", "env"),
    ("sed -n -e {{ item }} f", "sed", "env"),
    ("xargs sed 's/a/{{ item }}/'", "sed", "env"),
    ("jq '.x == \"{{ item }}\"' f", "jq", "--arg"),
    ("python3 -c 'print({{ item }})'", "python3 -c", "sys.argv"),
    ('python -Wignore -Ic "{{ item }}"', "python -c", "sys.argv"),
    ("perl -ne 'print {{ item }}' f", "perl -e", "ARGV"),
    ('perl -e"{{ item }}"', "perl -e", "ARGV"),
    ("node -e 'x({{ item }})'", "node -e", "argv"),
    ("node --eval={{ item }}", "node -e", "argv"),
    ("ruby -e '{{ item }}'", "ruby -e", "ARGV"),
    ("php -r '{{ item }}'", "php", ""),
    ("psql -c \"select '{{ item }}'\"", "psql -c", ":'v'"),
    ("mysql db -e '{{ item }}'", "mysql -e", ""),
    ("sqlite3 db 'select {{ item }}'", "sqlite3", ""),
    ("env -S '{{ item }}'", "env -S", "word"),
    ("env {{ item }} cmd", "env -S", "word"),
    ("ssh host 'rm {{ item }}'", "ssh", "standard input"),
    ("ssh -p 22 host rm {{ item }}", "ssh", "standard input"),
    ("ssh {{ host }} uptime", "ssh", r"ssh -- \{\{ host \}\}"),
    ("ssh -o ProxyCommand={{ item }} host", "ssh", ""),
    ("su - user -c 'x {{ item }}'", "su -c", ""),
    ("watch ls {{ item }}", "watch", ""),
    ("parallel echo {{ item }} ::: a b", "parallel", ":::"),
    ("echo \\{{ item }}", "backslash", "two"),
    ('echo "\\{{ item }}"', "backslash", "two"),
    ("echo ${{ item }}", "dollar", r"\\\$"),
    ('echo "${{ item }}"', "dollar", r"\\\$"),
    ('echo "{{ xs | args }}"', "args.*double quotes", "spaces"),
    ("echo a{{ xs | args }}", "args.*inside a word", "spaces"),
    ("echo '{{ item }}", "single quote is not closed", ""),
    ('echo "{{ item }}', "double quote is not closed", ""),
    ("echo $(x {{ item }}", "is not closed", ""),
    ("{% if x %}echo{% endif %}", "{% %}", "if x else"),
    ("echo a\0b {{ item }}", "NUL", ""),
    ("echo " + "$(" * 3000 + "{{ item }}", "nested too deeply", ""),
]


@pytest.mark.fault("N14")
@pytest.mark.parametrize(("text", "message", "hint"), REFUSED)
@pytest.mark.promise("3.31")
def test_places_where_nothing_can_be_bound_are_refused_with_the_rewrite(text: str, message: str, hint: str) -> None:
    with pytest.raises(WorkflowError) as caught:
        compiled(text)
    problem = caught.value.problems[0]
    import re

    assert re.search(message, problem.message), problem
    assert not hint or re.search(hint, problem.hint) or hint in problem.hint, problem
    assert problem.place.line >= 6


@pytest.mark.parametrize(
    "text",
    [
        "sh -c 'echo \"$1\"' sh {{ item }}",
        "bash -c 'echo \"$@\"' bash {{ xs | args }}",
        "bash script.sh {{ item }}",
        "sh -e {{ script }}",
        "xargs -0 sh -c 'echo \"$@\"' sh {{ item }}",
        "find -- {{ d }} -exec sh -c 'echo \"$1\"' sh {} \\;",
        "python3 -c 'import sys; print(sys.argv)' {{ item }}",
        "python3 script.py -c {{ item }}",
        "python3 -m json.tool {{ f }}",
        "awk -v x={{ item }} '{print x}' {{ f }}",
        "awk -f prog.awk {{ f }}",
        "sed -n 5p {{ f }}",
        "sed -e 5p -f x {{ f }}",
        "jq --arg x {{ item }} -r '.a == $x' {{ f }}",
        "env A={{ item }} cmd {{ item }}",
        "ssh -- {{ host }} uptime",
        "ssh user@{{ host }} uptime",
        "ssh -i {{ key }} -p {{ port }} host uptime",
        "printf '%s' {{ item }} | ssh host 'cat > x'",
        "echo sh -c {{ item }}",
        "printf '%s\\n' {{ item }}",
        "printf {{ item }}",
        "echo {{ item }} | sh script.sh",
        "local x={{ item }}; export y={{ item }}; read -p {{ prompt }} z",
        "sh -c 'exit {{ n | int }}'",
        "let x={{ n | int }}",
        "parallel echo ::: {{ xs | args }}",
        "sqlite3 {{ db }} 'select 1'",
        "{{ command }} --version",
        "eval echo {{ item | raw }}",
        "perl -MList::Util=sum -ne print {{ f }}",
    ],
)
def test_values_as_arguments_of_other_interpreters_are_fine(text: str) -> None:
    assert compiled(text).pieces


@pytest.mark.parametrize("shell", ["/usr/bin/fish", "python3", "/bin/tcsh"])
def test_only_posix_shells_have_values_bound(shell: str) -> None:
    with pytest.raises(WorkflowError, match="POSIX"):
        compiled("echo {{ item }}", shell)
    assert compiled("echo {{ item | raw }}", shell).pasted
    with pytest.raises(WorkflowError, match="-eq"):
        compiled("[ {{ a }} -eq 1 ]", "/bin/ksh")


@pytest.mark.parametrize("text", ["printf {{ item }}", "printf 'a {{ item }}' x", "printf -- {{ item }}"])
def test_formats_are_warned_of(text: str) -> None:
    (warning,) = compiled(text).warnings
    assert "directives" in warning.message
    assert "printf '%s'" in warning.hint
    assert compiled("printf '%s' {{ item }}").warnings == ()


def test_values_are_carried_as_they_are() -> None:
    command = compiled("x {{ item.a }} {{ item.b }} {{ item.c }} {{ item.a }}")
    scope = {"item": {"a": "it's $(id)\n", "b": {"x": [1, None, True]}, "c": 2**70}}
    assert command.bind(scope) == {"BW_1": "it's $(id)\n", "BW_2": '{"x":[1,null,true]}', "BW_3": str(2**70)}
    assert compiled("x {{ item }}").bind({"item": "\udcff"}) == {"BW_1": "\udcff"}


@pytest.mark.parametrize(
    ("item", "said"),
    [
        ("a\0b", ["NUL, which cannot be passed to a command", "stdin:"]),
        ("x" * STRING_MAX, ["131,071", "stdin:"]),
        ("é" * 70_000, ["140,005 bytes", "stdin:"]),
        ("x" * 2_000_000, ["2,000,005 bytes", "stdin:"]),
        ("\ud800", ["half of a character"]),
    ],
)
@pytest.mark.parametrize("text", ["x {{ item }}", "x {{ [item] | args }}", "x {{ item | raw }}"])
@pytest.mark.promise("3.38")
def test_what_cannot_be_carried_is_said(item: str, said: list[str], text: str) -> None:
    command = compiled(text)
    if "raw" in text or "args" in text:
        said = [part for part in said if "bytes" not in part]
    with pytest.raises(BindError) as caught:
        command.bind({"item": item})
        command.text({"item": item})
    for part in said:
        assert part in caught.value.message + caught.value.hint


@pytest.mark.fault("F07")
@pytest.mark.promise("3.38")
def test_the_longest_value_fits_exactly() -> None:
    command = compiled("x {{ item }}")
    longest = "x" * (STRING_MAX - len("BW_1="))
    assert command.bind({"item": longest}) == {"BW_1": longest}
    with pytest.raises(BindError):
        command.bind({"item": longest + "x"})


@pytest.mark.parametrize("value", ["1", "a[$(x)]", 1.5, True, None])
@pytest.mark.promise("3.31")
def test_only_whole_numbers_stand_in_arithmetic(value: object) -> None:
    command = compiled("echo $(( {{ (item if ok else item) | int(item) }} ))".replace("(item if ok else item)", "item"))
    assert command.bind({"item": 7}) == {"BW_1": "7"}
    if value in ("1", 1.5, True):
        assert command.bind({"item": value}) == {"BW_1": "1"}
    else:
        with pytest.raises(RenderError, match="number"):
            command.bind({"item": value})


@pytest.mark.promise("3.23")
def test_args_makes_words() -> None:
    command = compiled("ls {{ xs | args }} | wc {{ x }}")
    assert command.constant is None
    assert [expression.source for expression in command.pasted] == ["xs | args"]
    assert command.text({"xs": ["a b", "it's", "", 5, None]}) == "ls 'a b' 'it'\"'\"'s' '' 5 null | wc \"${BW_1}\""
    assert command.text({"xs": []}) == 'ls  | wc "${BW_1}"'
    assert command.text({"xs": "a b"}) == "ls 'a b' | wc \"${BW_1}\""
    with pytest.raises(RenderError, match="mapping"):
        command.text({"xs": {"a": 1}})


@pytest.mark.promise("3.25")
def test_raw_pastes() -> None:
    command = compiled("{{ cmd | raw }} '{{ cmd | raw }}' {{ item }}")
    assert command.text({"cmd": "echo $(x)"}) == "echo $(x) 'echo $(x)' \"${BW_1}\""
    assert len(command.pasted) == 2


def test_pasted_values_stand_beside_backticks() -> None:
    command = compiled("echo {{ a | raw }} `x {{ item }} {{ b | raw }}` {{ xs | args }}")
    assert command.text({"a": "A", "b": "B", "xs": []}) == 'echo A $( x "${BW_1}" B) '


def test_problems_have_their_place_inside_the_text() -> None:
    with pytest.raises(WorkflowError) as caught:
        compiled("echo a\n  ${x {{ item }}}\n`x {{ item }}; eval {{ item }}`")
    assert [(problem.place.line, problem.place.column) for problem in caught.value.problems] == [(7, 26), (8, 40)]


@pytest.mark.parametrize(
    ("words", "count"),
    [
        (["echo", "{{ item }}"], 0),
        (["sh", "-c", "echo {{ item }}"], 1),
        (["sh", "-c", "{% if item %}a{% endif %}"], 1),
        (["sh", "-c", 'echo "$1"', "sh", "{{ item }}"], 0),
        (["sudo", "python3", "-c", "x {{ item }}"], 1),
        (["rm", "--", "{{ item }}"], 0),
        (["ssh", "host", "rm {{ item }}"], 1),
        (["ls", "{{ xs | args }}"], 1),
        (["ls", "{{ xs | words }}", "{{ x | option }}"], 1),
    ],
)
@pytest.mark.promise("3.28")
def test_a_list_of_words_is_checked_too(words: list[str], count: int) -> None:
    assert len(compile_argv(Value.of([*words])).problems) == count
