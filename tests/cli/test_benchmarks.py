"""What the benchmarks measure of real processes: the CPU time of all that a program starts, who cannot run, another checkout's command."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from contest.checkouts import ROOT, installed
from contest.turns import TREE, Entrant, compete
from contest.works import Contender, Work

BURN = "import time; until = time.process_time() + 0.3\nwhile time.process_time() < until: pass"


def test_the_cpu_time_of_what_outlives_its_parent_is_counted(tmp_path: Path) -> None:
    burn = tmp_path / "burn.py"
    burn.write_text(BURN)
    result = tmp_path / "spent.json"
    orphan = f"({sys.executable} {burn} &) ; exit 3"
    subprocess.run([sys.executable, "-I", TREE, str(result), "60", "sh", "-c", orphan], check=True)
    spent = json.loads(result.read_text())
    assert spent["code"] == 3
    assert spent["cpu_s"] >= 0.3
    assert spent["others"] >= 0


def test_what_takes_too_long_is_ended(tmp_path: Path) -> None:
    result = tmp_path / "spent.json"
    subprocess.run([sys.executable, "-I", TREE, str(result), "0.2", "sh", "-c", "sleep 600 & wait"], check=True)
    assert json.loads(result.read_text())["code"] == -9


def test_who_cannot_run_is_told_and_the_others_go_on() -> None:
    contenders = (
        Contender("lacks a module", ("true",), needs=("module no_such_module",)),
        Contender("lacks a program", ("true",), needs=("program no-such-program",)),
        Contender("fails", ("sh", "-c", "exit 1")),
        Contender("is no program", ("./none",)),
        Contender("has not done it", ("true",), looks=lambda folder, output: {"n": float(output)}),
        Contender("has done it", ("sh", "-c", "cat file"), {"file": "{said}"}, looks=lambda _, out: {"n": float(out)}),
    )
    names = {"peers": sys.executable, "said": "7"}
    work = Work("w", "a work", 1, contenders[-1], contenders[:-1])
    found = compete(work, [Entrant(each.name, each, names) for each in contenders], 2, tell=lambda line: None)
    assert [len(figures.samples) for figures in found.values()] == [0, 0, 0, 0, 0, 2]
    assert found["lacks a module"].why_not == "no_such_module is not installed"
    assert found["lacks a program"].why_not == "no-such-program is not installed"
    assert all(figures.why_not for name, figures in found.items() if name != "has done it")
    assert found["has done it"].samples[0].figures == {"n": 7}


def test_the_command_of_a_checkout_runs_the_source_of_that_checkout(tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "src" / "batchwork").mkdir(parents=True)
    (tree / "src" / "batchwork" / "__init__.py").write_text("def program():\n    import msgspec\n    print(__file__)\n")
    (tree / "pyproject.toml").write_text('[project.scripts]\nbatchwork = "batchwork:program"\n')
    done = subprocess.run([installed(tree, tmp_path / "venv")], check=True, capture_output=True, text=True)
    assert done.stdout.strip() == str(tree / "src" / "batchwork" / "__init__.py")
    own = subprocess.run([installed(ROOT, tmp_path / "own"), "--help"], check=True, capture_output=True, text=True)
    assert "Usage: batchwork" in own.stdout
