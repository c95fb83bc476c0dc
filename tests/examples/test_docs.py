"""Every example in README and docs is run, and prints what the document says; every link leads somewhere."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from doc_player import Block, blocks, documents, links, matches, play, shown

import postgres

ROOT = Path(__file__).resolve().parents[2]
DOCUMENTS = documents(ROOT)


@pytest.mark.parametrize("document", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS])
def test_the_examples_of_a_document_run(
    document: Path, work: Path, environ: Mapping[str, str], request: pytest.FixtureRequest
) -> None:
    if document.name == "records-in-postgresql.md":
        environ = {**environ, **_database(request.getfixturevalue("postgres_server"))}
    assert play(document, work, environ) >= 0


def _database(server: postgres.Server) -> dict[str, str]:
    """The variables by which the database `work` is found."""
    if not server.execute("select 1 from pg_database where datname = 'work'"):
        server.execute("create database work")
    return {"PGHOST": server.host, "PGUSER": "postgres"}


@pytest.mark.parametrize("document", DOCUMENTS, ids=[str(path.relative_to(ROOT)) for path in DOCUMENTS])
def test_the_links_of_a_document_lead_somewhere(document: Path) -> None:
    assert [*links(document)] == []


def test_the_player_itself_reads_blocks_commands_and_wildcards() -> None:
    text = (
        "x\n```yaml\n# file: a/w.yaml\nsteps: []\n```\n\n  ```console\n  $ echo a \\\n  > b\n  a b\n  $ true\n  ```\n"
    )
    first, second = blocks(text)
    assert (first.line, first.file, second.language) == (2, "a/w.yaml", "console")
    assert [(each.command, each.output) for each in shown(second)] == [("echo a \\\nb", ("a b",)), ("true", ())]
    assert matches(("a", "...", "c ... d"), ["a", "b", "b", "c x d  "])
    assert matches(("...",), [])
    assert not matches(("a",), ["a", "b"])
    assert not matches(("a.c",), ["abc"])
    assert Block(1, "python", "#!/bin/sh\n# file: go.sh\n").file == "go.sh"


def test_the_player_notices_a_wrong_output_and_a_wrong_part(tmp_path: Path, environ: Mapping[str, str]) -> None:
    for wrong in (
        "```console\n$ echo a\nb\n```\n",
        "```yaml\n# part of inputs\nbatch_sice: 3\n```\n",
        "```yaml\nx: 1\n```\n",
    ):
        (tmp_path / "d.md").write_text(wrong)
        with pytest.raises(AssertionError, match=r"d\.md:"):
            play(tmp_path / "d.md", tmp_path, environ)
