"""A checkout of another commit beside this one, and a command `batchwork` for a checkout, with the packages of this environment."""

from __future__ import annotations

import subprocess
import sys
import sysconfig
import tempfile
import tomllib
import venv
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def checkout(commit: str) -> Iterator[Path]:
    """The files of a commit, in a temporary worktree that is removed afterwards."""
    with tempfile.TemporaryDirectory(prefix="bench-base-") as folder:
        path = Path(folder, "tree")
        _git("worktree", "add", "--quiet", "--detach", str(path), commit)
        try:
            yield path
        finally:
            _git("worktree", "remove", "--force", str(path))


def named(commit: str) -> str:
    """The commit in short, with its subject. Raises SystemExit where there is no such commit."""
    try:
        return _git("log", "-1", "--format=%h %s", commit, "--").strip()
    except subprocess.CalledProcessError as error:
        raise SystemExit(f"there is no commit {commit}: {error.stderr.strip()}") from error


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def installed(tree: Path, folder: Path) -> str:
    """Make a virtual environment in `folder` in which the source of `tree` runs; its command. No package is installed anew."""
    venv.EnvBuilder(with_pip=False, symlinks=True).create(folder)
    library = folder / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages"
    (library / "batchwork-tree.pth").write_text(f"{tree / 'src'}\n{sysconfig.get_path('purelib')}\n")
    for other in sys.path:
        if other.endswith("site-packages") and other != sysconfig.get_path("purelib"):
            with open(library / "batchwork-tree.pth", "a") as file:
                file.write(f"{other}\n")
    module, _, function = tomllib.loads((tree / "pyproject.toml").read_text())["project"]["scripts"][
        "batchwork"
    ].partition(":")
    command = folder / "bin" / "batchwork"
    command.write_text(
        f"#!{folder / 'bin' / 'python'}\nimport sys\nfrom {module} import {function}\nsys.exit({function}())\n"
    )
    command.chmod(0o755)
    return str(command)
