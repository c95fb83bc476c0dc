"""Programs that take code: a row of the table is refused where it takes code, and accepted where a value is data."""

from __future__ import annotations

import pytest

from batchwork.errors import WorkflowError
from batchwork.quoting import compile_command
from batchwork.quoting.code.programs import PROGRAMS
from batchwork.template import compile_template


def refused(text: str) -> str:
    try:
        compile_command(compile_template(text), "/bin/bash")
    except WorkflowError as error:
        return str(error)
    return ""


def warned(text: str) -> list[str]:
    return [warning.message for warning in compile_command(compile_template(text), "/bin/bash").warnings]


WORDS = {
    "bash": "bash -c 'x {{ item }}'",
    "python3": "python3.11 -c 'x({{ item }})'",
    "perl": "perl -ne 'x {{ item }}'",
    "ruby": "ruby -e 'x {{ item }}'",
    "node": "node --eval 'x({{ item }})'",
    "deno": "deno eval 'x({{ item }})'",
    "php": "php -r 'x({{ item }})'",
    "expect": "expect -c 'x {{ item }}'",
    "m4": "irb -e '{{ item }}'",
    "gnuplot": "gnuplot -e 'plot {{ item }}'",
    "pwsh": "pwsh -Command 'x {{ item }}'",
    "psql": "psql shop -c \"select '{{ item }}'\"",
    "mysql": "mariadb -e 'select {{ item }}'",
    "duckdb": "duckdb shop.db -c \"select '{{ item }}'\"",
    "sqlcmd": "clickhouse-client --query='select {{ item }}'",
    "mongosh": "mongosh --eval 'db.{{ item }}'",
    "su": "su - user -c 'x {{ item }}'",
    "flock": "flock lock -c 'x {{ item }}'",
    "awk": "nice -n 5 gawk '{print {{ item }}}' f",
    "sed": "sed -i 's/a/{{ item }}/' f",
    "jq": "yq '.x = \"{{ item }}\"' f",
    "watch": "hyperfine 'x {{ item }}'",
    "parallel": "parallel 'x {{ item }}' ::: a",
    "ssh": "ssh -p 22 host 'x {{ item }}'",
    "sftp": "lftp -c 'get {{ item }}'",
    "rsync": "rsync -e 'ssh {{ item }}' a b:",
    "tar": "tar -I '{{ item }}' -cf a.tar b",
    "git": "git rebase --exec 'x {{ item }}' main",
    "env": "env -S 'x {{ item }}'",
    "eval": "eval x {{ item }}",
    "make": "make -s all T={{ item }}",
    "tmux": "tmux send-keys -t 0 'x {{ item }}' Enter",
    "sbatch": "sbatch --wrap 'x {{ item }}'",
    "vim": "vim -c '{{ item }}' f",
    "gdb": "gdb -ex 'p {{ item }}' prog",
    "nix-shell": "nix-shell -p jq --run 'jq {{ item }}'",
}
"""A command for each program that has code among its words."""

INPUT = {
    "bash": "sudo -u x bash -s",
    "python3": "python3 -",
    "perl": "perl",
    "ruby": "ruby",
    "node": "node",
    "deno": "deno run -",
    "php": "php",
    "expect": "expect",
    "m4": "dc",
    "gnuplot": "gnuplot -p",
    "pwsh": "pwsh",
    "psql": "psql -qAt -h db -U me shop",
    "mysql": "mysql -h db -psecret shop",
    "duckdb": "sqlite3 -header shop.db",
    "sqlcmd": "cqlsh host",
    "mongosh": "mongosh shop",
    "sqlplus": "sqlplus -s me@db",
    "redis-cli": "redis-cli -h db",
    "su": "su - user",
    "source": ". /dev/stdin",
    "awk": "awk -f - data",
    "sed": "sed -f /dev/stdin data",
    "parallel": "parallel -j 4",
    "ssh": "ssh -p 22 host",
    "sftp": "sftp host",
    "make": "make -f -",
    "sbatch": "sbatch -J name -t 10",
    "qsub": "qsub -N name",
    "at": "at now",
    "crontab": "crontab -",
    "vim": "ed -s file",
    "gdb": "gdb prog",
}
"""A command for each program that takes code on standard input."""


def row(name: str) -> int:
    return next(number for number, program in enumerate(PROGRAMS) if name in program.names)


@pytest.mark.promise("3.32")
def test_each_row_of_the_table_has_its_commands() -> None:
    nothing_in_words = {row(name) for name in ("sqlplus", "redis-cli", "source", "qsub", "at", "crontab")}
    assert {*map(row, WORDS)} | nothing_in_words == {*range(len(PROGRAMS))}
    assert {*map(row, INPUT)} == {number for number, program in enumerate(PROGRAMS) if program.reads is not None}
    assert all(program.instead and program.names for program in PROGRAMS)


def test_no_program_stands_in_two_rows() -> None:
    names = [name for program in PROGRAMS for name in program.names]
    assert len(names) == len({*names})


@pytest.mark.parametrize("text", WORDS.values(), ids=WORDS)
@pytest.mark.promise("3.32")
def test_code_among_words_is_refused(text: str) -> None:
    said = refused(text)
    assert "would be run as code" in said
    assert "NAME" not in said
    assert refused(text.replace("{{ item }}", "{{ n | int }}")) == ""


@pytest.mark.parametrize(
    "before", ["echo 'x {{ item }}' | COMMAND", "COMMAND <<< {{ item }}", "COMMAND <<EOF\n{{ item }}\nEOF"]
)
@pytest.mark.parametrize("command", INPUT.values(), ids=INPUT)
@pytest.mark.promise("3.33")
def test_code_on_standard_input_is_refused(command: str, before: str) -> None:
    said = refused(before.replace("COMMAND", command))
    assert "would be run as code" in said
    assert "NAME" not in said


@pytest.mark.parametrize(
    "text",
    [
        "echo {{ item }} | env bash",
        "echo {{ item }} | env -u X A=b nice -n 5 timeout 10 python3",
        "echo {{ item }} | docker exec -i c bash",
        "echo {{ item }} | kubectl exec -i pod -- psql shop",
        "printf '%s' {{ item }} | tee copy | bash",
        "printf '%s' {{ item }} | sed s/a/b/ | sort | bash",
        "cat <(echo {{ item }}) | bash",
        "bash <(echo {{ item }})",
        "source <(printf %s {{ item }})",
        "bash < <(echo {{ item }})",
        "psql -f <(echo {{ item }}) shop",
        "cat <<EOF | bash\n{{ item }}\nEOF",
        "cat <<< {{ item }} | bash",
        "{ echo a; echo {{ item }}; } | bash",
        "(echo a; echo {{ item }}) | bash",
        "for x in a b; do echo {{ item }}; done | bash",
        "if true; then echo {{ item }}; fi | bash",
        "case a in a) echo {{ item }};; esac | bash",
        "echo {{ item }} | (cd x; bash)",
        "echo {{ item }} | { bash; }",
        "{ bash; } <<< {{ item }}",
        'echo "$(echo {{ item }})" | bash',
        "x=$(echo {{ item }} | bash)",
        "basename {{ item }} | bash",
        "echo {{ item }} |& bash",
        "echo {{ item }} | xargs -I{} sh -c 'echo {}'",
        "echo {{ item }} | xargs -I % ssh host 'rm %'",
        "echo {{ item }} | xargs sh -c",
        "echo {{ item }} | xargs -n 1 python3 -c",
        "echo {{ item }} | xargs ssh host rm",
        "xargs -n1 psql -c <<< {{ item }}",
        "sudo sh -c 'x {{ item }}'",
        "sudo env A=b nice awk '{{ item }}' f",
        "find . -exec sed 's/a/{{ item }}/' {} +",
        "xargs sed 's/a/{{ item }}/'",
        "make all 'T={{ item }}'",
        "make --eval={{ item }}",
        "make {{ name }}=x",
        "gmake T:={{ item }}",
        "duckdb shop.db 'select {{ item }}'",
        "sqlite3 -separator , shop.db 'select {{ item }}'",
        "sqlite3 -cmd {{ item }} shop.db",
        "sbatch --wrap='x {{ item }}'",
        "tmux new-session -d 'x {{ item }}'",
        "screen -S s -X stuff {{ item }}",
    ],
)
@pytest.mark.promise("3.35")
def test_code_by_a_detour_is_refused(text: str) -> None:
    assert "would be run as code" in refused(text)


@pytest.mark.parametrize(
    "text",
    [
        "echo {{ item }} | python3 count.py",
        "echo {{ item }} | python3 -u count.py -",
        "echo {{ item }} | python3 -m json.tool",
        "echo {{ item }} | python3 -c 'import sys; print(sys.stdin.read())'",
        "echo {{ item }} | bash load.sh",
        "echo {{ item }} | bash -c 'cat > f'",
        "echo {{ item }} | perl -ne print",
        "echo {{ item }} | ruby -e 'puts gets'",
        "echo {{ item }} | node script.js",
        'echo {{ item }} | ssh host "cat > kept"',
        'echo {{ item }} | ssh -p 22 -i key host "cat > kept"',
        'echo {{ item }} | psql -c "copy names from stdin" shop',
        "echo {{ item }} | psql --file=load.sql shop",
        "echo {{ item }} | mysql -e 'load data'",
        "echo {{ item }} | sqlite3 shop.db '.import /dev/stdin t'",
        "echo {{ item }} | su - user -c 'cat > f'",
        "printf '%s\\n' {{ item }} | parallel gzip",
        "printf '%s\\n' {{ item }} | xargs -d '\\n' gzip --",
        "printf '%s\\n' {{ item }} | xargs -I{} sh -c 'echo \"$1\"' sh {}",
        "printf '%s\\n' {{ item }} | xargs sh script.sh",
        "printf '%s\\n' {{ item }} | xargs echo | wc",
        "echo {{ item }} | sort | uniq -c",
        "echo {{ item }} | awk '{print $1}'",
        "echo {{ item }} | jq .x",
        "echo {{ item }} | redis-cli -x set k",
        "echo {{ item }} | tee log | wc -c",
        "wc -l < {{ item }} | bash",
        "ls -- {{ item }} | bash",
        "echo {{ item }} | wc -c | bash",
        "cat <<EOF > f\n{{ item }}\nEOF",
        "tee f <<< {{ item }}",
        "at -f script.sh now <<< {{ item }}",
        "make -j 4 -C {{ dir }} all",
        "git switch -c {{ branch }}",
        "git commit -m {{ message }}",
        "tar -czf {{ f }}.tgz -- {{ f }}",
        "tmux kill-session -t {{ item }}",
        "screen -dmS name ./tool -- {{ item }}",
        "sbatch script.sh {{ item }}",
        "cp script -c {{ item }}",
        "vim -- {{ item }}",
        "sftp -b batch.txt -- {{ host }}",
        "parallel gzip ::: {{ xs | args }}",
    ],
)
@pytest.mark.promise("3.34")
def test_data_is_accepted(text: str) -> None:
    assert refused(text) == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('x={{ item }}; eval "echo $x"', "eval"),
        ('x={{ item }}\ny="a $x"\nsh -c "echo $y"', "sh -c"),
        ('x={{ item }}; echo "$x" | bash', "echo … | bash"),
        ('export x={{ item }}; bash <<< "$x"', "bash <<<"),
        ('for x in {{ xs | args }}; do ssh host "rm $x"; done', "ssh"),
        ('while read -r x; do eval "$x"; done <<< {{ item }}', "eval"),
        ('echo {{ item }} | while read -r x; do eval "$x"; done', "eval"),
        ('x=$(echo {{ item }}); eval "$x"', "eval"),
        ('a={{ item }}; x=$(echo "$a"); eval "$x"', "eval"),
        ('x=`echo {{ item }}`; eval "${x}"', "eval"),
        ('x=({{ item }} b); eval "${x[0]}"', "eval"),
        ('set -- {{ item }}; eval "$1"', "eval"),
        ('f() { eval "$1"; }; f {{ item }}', "eval"),
        ("x={{ item }}; echo $((x + 1))", "arithmetic"),
        ('x={{ item }}; [[ "$x" -eq 1 ]]', "-eq"),
        ('x={{ item }}; sed "s/a/$x/" f', "sed"),
        ('x={{ item }}; rm "$x"', "`rm` takes what is in `$x` for an option"),
        ("x={{ item }}; rm -r ${x}", "`rm` takes what is in `$x` for an option"),
        ("printf '%s\\n' {{ item }} | xargs rm", "`rm` takes what xargs reads for an option"),
        ("printf '%s\\n' {{ item }} | xargs -I{} rm {}", "`rm` takes what xargs reads for an option"),
    ],
)
@pytest.mark.promise("3.36", "3.51")
def test_values_that_arrive_through_variables_are_warned_of(text: str, said: str) -> None:
    assert any(said in message for message in warned(text))


@pytest.mark.parametrize(
    "text",
    [
        'x={{ item }} && echo "$x"',
        'x={{ item }}; rm -- "$x" "./$x" "a$x"',
        'x={{ n | int }}; echo $((x + 1)); kill "$x"',
        "x=$(wc -l < {{ item }}); echo $((x + 1))",
        'x={{ item }}; sh -c \'echo "$1"\' -- "$x"',
        "x={{ item }}; awk -v v=\"$x\" '{print v}' f",
        'x={{ item }}; y=1; eval "echo $y"',
        'x={{ item }}; case $x in a) ;; esac; [ "$x" = a ]; [[ $x == a ]]; cat < "$x"',
        "printf '%s\\n' {{ item }} | xargs rm --",
        "printf '%s\\n' {{ item }} | xargs echo",
        'eval "$y"; rm "$y"; echo {{ item }}',
    ],
)
def test_variables_that_are_only_data_are_not_warned_of(text: str) -> None:
    assert warned(text) == []
