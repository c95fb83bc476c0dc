"""The programs that take code: which of their words and whether their standard input is code, and what to write instead.

A row for each; the documentation's table is made from them.
"""

from __future__ import annotations

from msgspec import Struct

from batchwork.quoting.code.code_inputs import CodeInput
from batchwork.quoting.code.code_words import (
    SSH_WITH_ARGUMENT,
    CodeIn,
    FirstOperand,
    after_flag,
    assigned_words,
    before_lists,
    every_word,
    nothing,
    operands_after,
    remote,
    shell_code,
    split_string,
    typed_keys,
)
from batchwork.quoting.words import names


class Program(Struct, frozen=True):
    """Programs by name, which of their words are code (`shown` says how), what to write instead (`NAME` is the program).

    `by_flag`: only an option makes it code, so that the name is looked for behind any other command. `reads`: when code
    comes on standard input.
    """

    names: frozenset[str]
    shown: str
    code: CodeIn
    instead: str
    by_flag: bool = True
    reads: CodeInput | None = None


SHELLS = names("sh bash dash zsh ksh ksh93 mksh ash yash rbash fish csh tcsh")

_ARGUMENT = (
    'pass it as an argument: NAME -c \'echo "$1"\' NAME {{ item }}; or by `env:`, and use "$THE_VALUE" in the code'
)
_ENV = "pass it by the task's `env:`, or as an argument, and read it from there in the code"
_SQL = "give the value as a parameter of the query, or use a task of type python with a database driver"
_REMOTE = "send it on standard input: printf '%s' {{ item }} | ssh HOST 'cat > file'; a host from a value: ssh -- {{ item }} uptime"

PROGRAMS = (
    Program(
        SHELLS,
        "NAME -c",
        shell_code,
        _ARGUMENT,
        reads=CodeInput("c", "oO", forces="s", long_takes=names("--rcfile --init-file")),
    ),
    Program(
        names("python python2 python3 pypy pypy3"),
        "NAME -c",
        after_flag("c", operand_first=False),
        "pass it as an argument: NAME -c 'import sys; print(sys.argv[1])' {{ item }}; or use a task of type python",
        reads=CodeInput("cm", "WXQ"),
    ),
    Program(
        names("perl"),
        "NAME -e",
        after_flag("eE", operand_first=False),
        "pass it as an argument, and use $ARGV[0]",
        reads=CodeInput("eE", "I", joined="Mmi0lFCxDdVv"),
    ),
    Program(
        names("ruby"),
        "NAME -e",
        after_flag("e", operand_first=False),
        "pass it as an argument, and use ARGV[0]",
        reads=CodeInput("e", "rIC", joined="KETWx0Fi"),
    ),
    Program(
        names("node nodejs bun"),
        "NAME -e",
        after_flag("ep", "--eval", "--print", operand_first=False),
        "pass it as an argument, and use process.argv[1]",
        reads=CodeInput(
            "ep", "rC", long=names("--eval --print --test"), long_takes=names("--require --import --loader")
        ),
    ),
    Program(names("deno"), "NAME eval", after_flag("ep", "eval"), _ENV, reads=CodeInput(usual=False)),
    Program(
        names(
            "php lua luajit julia R Rscript osascript groovy scala ghc guile emacs elixir clojure racket sbcl erl swipl"
        ),
        "NAME -e",
        after_flag("reE", "--eval", "--expr", "-eval", operand_first=False),
        _ENV,
        reads=CodeInput("reEf", "dILC", long=names("--eval --expr --file -eval --script --load")),
    ),
    Program(
        names("tclsh wish expect"),
        "NAME -c",
        after_flag("c", operand_first=False),
        _ENV,
        by_flag=False,
        reads=CodeInput("cf"),
    ),
    Program(
        names("ghci iex irb psysh ocaml dc m4"),
        "NAME -e",
        after_flag("e", "--expression"),
        _ENV,
        by_flag=False,
        reads=CodeInput("ef"),
    ),
    Program(
        names("gnuplot octave maxima"),
        "NAME -e",
        after_flag("e", "--eval"),
        _ENV,
        by_flag=False,
        reads=CodeInput("e", long=names("--eval")),
    ),
    Program(
        names("pwsh powershell"),
        "NAME -Command",
        after_flag("cC", "-Command", "-command", "-EncodedCommand"),
        _ENV,
        reads=CodeInput("cCfF"),
    ),
    Program(
        names("psql"),
        "NAME -c",
        after_flag("c", "--command"),
        "NAME -v v={{ item }}, and :'v' in the code on stdin",
        reads=CodeInput("cf", "dhpUvFPRTLo", long=names("--command --file --list"), operands=2),
    ),
    Program(
        names("mysql mariadb"),
        "NAME -e",
        after_flag("e", "--execute"),
        _SQL,
        reads=CodeInput("e", "DPS", joined="puh", long=names("--execute"), operands=2),
    ),
    Program(
        names("sqlite3 duckdb"),
        "NAME",
        operands_after(1, "-separator -nullvalue -newline -init -vfs -f", "-cmd -c -s --command"),
        _SQL,
        False,
        CodeInput(
            long=names("-c -s -f"), long_takes=names("-separator -nullvalue -newline -init -vfs -cmd"), operands=1
        ),
    ),
    Program(
        names("clickhouse clickhouse-client sqlcmd snowsql trino presto cqlsh influx"),
        "NAME -q",
        after_flag("qQe", "--query", "--execute", "-execute"),
        _SQL,
        reads=CodeInput("qQeif", long=names("--query --execute --queries-file --file -execute"), operands=2),
    ),
    Program(
        names("mongo mongosh"),
        "NAME --eval",
        after_flag("", "--eval"),
        _SQL,
        reads=CodeInput("f", "pu", long=names("--eval --file"), operands=1),
    ),
    Program(names("cypher-shell sqlplus isql"), "NAME", nothing, _SQL, False, CodeInput("f", "aupd", operands=9)),
    Program(
        names("redis-cli"),
        "NAME",
        nothing,
        "NAME -x set KEY takes a value from its input",
        False,
        CodeInput("", "hpaun"),
    ),
    Program(
        names("su runuser script"),
        "NAME -c",
        after_flag("c", "--command"),
        _ENV,
        False,
        CodeInput("c", "gGws", long=names("--command"), operands=2),
    ),
    Program(names("flock"), "NAME -c", after_flag("c", "--command"), _ENV),
    Program(names(". source"), "NAME", nothing, _ENV, False, CodeInput(usual=False)),
    Program(
        names("awk gawk nawk mawk original-awk busybox-awk"),
        "NAME",
        FirstOperand("vFfiE", "e", "fE"),
        "pass it by the task's `env:`, and use ENVIRON[\"THE_VALUE\"] in the program (or NAME -v x={{ item }} 'program')",
        False,
        CodeInput(usual=False),
    ),
    Program(
        names("sed gsed"),
        "NAME",
        FirstOperand("l", "e", "f"),
        _ENV + " (awk has ENVIRON)",
        False,
        CodeInput(usual=False),
    ),
    Program(names("jq yq gojq jaq"), "NAME", FirstOperand("L", "", "f"), "NAME --arg x {{ item }} '… $x …'", False),
    Program(
        names("watch hyperfine"),
        "NAME",
        before_lists,
        "NAME runs its words as shell code: leave out NAME, or put the command into a script that takes the value",
        False,
    ),
    Program(
        names("parallel"),
        "NAME",
        before_lists,
        "NAME runs its words, and without them its input, as shell code: name the command (NAME gzip), and put values after `:::`",
        False,
        CodeInput(
            "a",
            "jPInNLSCs",
            long_takes=names("--jobs --colsep --joblog --results --delay --timeout --retries --tmpdir"),
        ),
    ),
    Program(
        names("ssh mosh autossh rsh"),
        "NAME",
        remote,
        _REMOTE,
        False,
        CodeInput("N", SSH_WITH_ARGUMENT, operands=1),
    ),
    Program(
        names("sftp lftp ftp"),
        "NAME -c",
        after_flag("ceb"),
        _ENV,
        by_flag=False,
        reads=CodeInput("bcef", "PioF", operands=1),
    ),
    Program(
        names("rsync"),
        "NAME -e",
        after_flag("e", "--rsh", "--rsync-path"),
        "write the command as a constant text",
        False,
    ),
    Program(
        names("tar"),
        "NAME -I",
        after_flag("I", "--use-compress-program", "--to-command", "--checkpoint-action", "--info-script"),
        "write the command as a constant text",
        False,
    ),
    Program(
        names("git"),
        "NAME --exec",
        after_flag("", "--exec", "--tree-filter", "--upload-pack"),
        "write the command as a constant text",
        False,
    ),
    Program(names("env"), "NAME -S", split_string, "write NAME's words one by one, the command first", False),
    Program(
        names("eval"),
        "NAME",
        every_word,
        "leave out NAME: a value is one word, whatever is in it; or paste it with `| raw`",
        False,
    ),
    Program(
        names("make gmake remake bmake"),
        "NAME VAR=",
        assigned_words,
        'NAME expands `$(…)` in it: pass it by the task\'s `env:`, and use "$$THE_VALUE" in the recipe',
        False,
        CodeInput(usual=False),
    ),
    Program(
        names("tmux screen"),
        "NAME send-keys",
        typed_keys,
        "what NAME is told is typed into a shell: put the command into a script, and the value into a file or the environment",
        False,
    ),
    Program(
        names("sbatch"),
        "NAME --wrap",
        after_flag("", "--wrap"),
        "give the value as an argument of a script: NAME script.sh {{ item }}",
        reads=CodeInput(
            "",
            "JpAtnNcDoediq",
            long=names("--wrap"),
            long_takes=names("--job-name --partition --time --output --error"),
        ),
    ),
    Program(
        names("qsub bsub"),
        "NAME <",
        nothing,
        "give the value as an argument of a script: NAME script.sh {{ item }}",
        reads=CodeInput("", "NqlopejmMWvSJnRG"),
    ),
    Program(
        names("at batch"),
        "NAME",
        nothing,
        "give NAME a script: NAME -f script.sh",
        False,
        CodeInput("flrc", "qt", operands=9),
    ),
    Program(
        names("crontab"),
        "NAME -",
        nothing,
        "write the table to a file, with values that are checked",
        False,
        CodeInput(usual=False),
    ),
    Program(
        names("ed ex vi vim nvim"),
        "NAME -c",
        after_flag("c", "--cmd"),
        "its commands may run others: use a task of type python to change the file",
        by_flag=False,
        reads=CodeInput("c", "pS", operands=9),
    ),
    Program(
        names("gdb lldb"),
        "NAME -ex",
        after_flag("", "-ex", "--eval-command", "-o"),
        _ENV,
        by_flag=False,
        reads=CodeInput("x", operands=9),
    ),
    Program(names("nix-shell"), "NAME --run", after_flag("", "--run", "--command"), _ENV),
)
