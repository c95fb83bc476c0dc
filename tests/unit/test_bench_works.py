"""The works that are measured: each has a name and a title of its own, and workflows that batchwork takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from catalogue import works
from contest.table import BEGIN, END
from contest.works import PEERS, Contender, Work, filled

import batchwork
from batchwork import plugins

WORKS = list(works())
NAMES = {"rows": "rows.jsonl", "base": "http://127.0.0.1:1/"}


def test_names_and_titles_are_their_own() -> None:
    assert len({work.name for work in WORKS}) == len(WORKS)
    assert len({work.title for work in WORKS}) == len(WORKS)


def test_a_share_of_the_works_is_smaller_and_called_the_same() -> None:
    small = list(works(0.001))
    assert [work.name for work in small] == [work.name for work in WORKS]
    assert all(few.count <= work.count for few, work in zip(small, WORKS, strict=True))


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The package with the source of made rows is there."""
    monkeypatch.syspath_prepend(f"{PEERS}/made")
    plugins._foreign.cache_clear()
    yield
    monkeypatch.undo()
    plugins._foreign.cache_clear()


@pytest.mark.usefixtures("made")
@pytest.mark.parametrize("work", WORKS, ids=[work.name for work in WORKS])
def test_batchwork_takes_the_workflows(work: Work, tmp_path: Path) -> None:
    (tmp_path / "rows.jsonl").write_text('{"id": 1}\n')
    (tmp_path / "items.txt").write_text("1\n")
    flows = [
        (contender, name, filled(text, NAMES))
        for contender in (work.ours, *work.peers)
        for name, text in contender.files.items()
    ]
    assert flows
    for _contender, name, text in flows:
        (tmp_path / name).write_text(text)
        assert batchwork.load(tmp_path / name).steps


def test_who_is_beside_batchwork_has_a_name_of_its_own() -> None:
    for work in WORKS:
        contenders: list[Contender] = [work.ours, *work.peers]
        assert len({contender.name for contender in contenders}) == len(contenders)


def test_the_page_has_a_place_for_the_table() -> None:
    page = (Path(__file__).parents[2] / "docs" / "performance.md").read_text(encoding="utf-8")
    assert page.index(BEGIN) < page.index(END)
