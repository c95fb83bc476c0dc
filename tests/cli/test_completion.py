"""What the tab key offers, and the pages that come with the package."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from batchwork.cli.commands.docs import SECTIONS, topics

Command = Callable[..., "CompletedProcess[str]"]

FLOW = """
params:
  mode: {choices: [fast, full], default: fast}
  limit: 3
steps:
  - {name: hello, task: echo, inputs: {message: x}}
  - {name: world, task: echo, inputs: {message: x}}
"""


@pytest.fixture
def offered(batchwork: Command, work: Path) -> Callable[..., list[str]]:
    """The words that are offered for the last of some words, as bash asks for them."""
    (work / "w.yaml").write_text(FLOW)
    batchwork("run", "w.yaml", "--run-id", "first", "--quiet", expect=0)
    (work / "other.yaml").write_text("steps: [{name: other, task: echo, inputs: {message: x}}]")
    batchwork("run", "other.yaml", "--run-id", "second", "--quiet", expect=0)

    def ask(*words: str) -> list[str]:
        typed = " ".join(("batchwork", *words[:-1]))
        env = {
            "COMP_WORDS": f"{typed} {words[-1]}",
            "COMP_CWORD": str(len(words)),
            "_BATCHWORK_COMPLETE": "bash_complete",
        }
        return batchwork(env=env, expect=0).stdout.replace("plain,", "").split()

    return ask


@pytest.mark.promise("9.62")
@pytest.mark.parametrize(
    ("words", "found"),
    [
        (("va",), ["validate"]),
        (("status", ""), ["second", "first"]),
        (("clean", "fi"), ["first"]),
        (("status", "x"), []),
        (("items", "--step", ""), ["other"]),
        (("items", "first", "--step", "w"), ["world"]),
        (("items", "first", "--step", ""), ["hello", "world"]),
        (("run", "w.yaml", ""), ["mode=", "limit="]),
        (("run", "w.yaml", "limit=5", ""), ["mode="]),
        (("run", "w.yaml", "mode=fa"), ["mode=fast"]),
        (("run", "w.yaml", "mode", "=", "f"), ["fast", "full"]),
        (("run", "w.yaml", "mode", "="), ["=fast", "=full"]),
        (("run", "gone.yaml", "m"), []),
        (("tasks", "read_"), ["read_file", "read_json"]),
        (("docs", "first"), ["first-batch"]),
        (("init", "d"), ["database"]),
        (("run", ""), ["file,"]),
        (("sources", "ra"), ["range"]),
        (("completion", ""), ["bash", "zsh", "fish"]),
    ],
)
def test_what_is_offered(offered: Callable[..., list[str]], words: tuple[str, ...], found: list[str]) -> None:
    assert offered(*words) == found


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_a_shell_understands_its_script(batchwork: Command, work: Path, shell: str) -> None:
    script = batchwork("completion", shell, expect=0).stdout
    assert "_BATCHWORK_COMPLETE" in script
    (work / "script").write_text(script)
    if shutil.which(shell):
        subprocess.run([shell, "-n", str(work / "script")], check=True)


def test_bash_completes_with_it(batchwork: Command, work: Path, environ: Mapping[str, str]) -> None:
    if not shutil.which("bash"):
        pytest.skip("bash is not there")
    (work / "script").write_text(batchwork("completion", "bash", expect=0).stdout)
    asked = (
        'source ./script; COMP_WORDS=(batchwork val); COMP_CWORD=1; _batchwork_completion batchwork; echo "$COMPREPLY"'
    )
    done = subprocess.run(
        ["bash", "-c", asked], cwd=work, env=dict(environ), capture_output=True, text=True, check=True
    )
    assert done.stdout == "validate\n"


@pytest.mark.promise("9.62")
def test_every_page_is_listed_and_printed(batchwork: Command) -> None:
    listed = batchwork("docs", expect=0).stdout
    for topic in topics():
        assert f"  {topic.name} " in listed
        assert topic.title() in listed
    assert {topic.section for topic in topics()} <= set(SECTIONS)
    assert {"architecture", "faults", "performance", "reliability"} <= {topic.name for topic in topics()}
    assert batchwork("docs", "reliability", expect=0).stdout.startswith("# ")
    page = Path(__file__).parents[2] / "docs/reference/items.md"
    assert batchwork("docs", "items", expect=0).stdout == page.read_text()
    assert batchwork("docs", "reference/items.md", expect=0).stdout == page.read_text()
    assert batchwork("docs", "tutorial", expect=2).stderr.startswith("error: there is no page `tutorial`")
    assert "did you mean `states`?" in batchwork("docs", "sttes", expect=2).stderr
    assert "may be" in batchwork("docs", "add", expect=2).stderr
