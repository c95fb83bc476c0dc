"""The sentences of the contract that a machine can check, and which tests show them. Tests say so with `@pytest.mark.promise("9.07")`.

`section_NN.txt` quotes them word for word, one a line behind its id; the marks of milestones are left out. A `?` behind the id
says that no test shows the sentence yet. `python tests/contract_sentences/table.py` prints them, and with the contract as an
argument also what of it nobody quotes.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NamedTuple

HERE = Path(__file__).parent
ROW = re.compile(r"(?P<name>\d+\.\d\d)(?P<open> \?)? (?P<text>\S.*)")


class Sentence(NamedTuple):
    """What is promised, word for word; and whether no test shows it yet."""

    text: str
    is_open: bool

    @property
    def plain(self) -> str:
        return plain(self.text)


def plain(text: str) -> str:
    """A text without milestones, emphasis and line breaks, as it is compared."""
    return re.sub(r"\s+", "", _unmarked(text))


def sentences(folder: Path = HERE) -> dict[str, Sentence]:
    """All that are quoted, by their ids."""
    found: dict[str, Sentence] = {}
    for file in sorted(folder.glob("section_*.txt")):
        for line in file.read_text(encoding="utf-8").splitlines():
            row = ROW.fullmatch(line)
            if row is None or row["name"] in found or int(row["name"].partition(".")[0]) != int(file.stem[-2:]):
                raise ValueError(f"{file.name}: not a row of its own: {line!r}")
            found[row["name"]] = Sentence(row["text"], row["open"] is not None)
    return found


def misquoted(quoted: Mapping[str, Sentence], contract: str) -> list[str]:
    """The ids of sentences that do not stand in their section of the contract."""
    sections = _sections(contract)
    return [name for name, row in quoted.items() if row.plain not in plain(sections.get(name.partition(".")[0], ""))]


def unquoted(quoted: Mapping[str, Sentence], contract: str, sections: Sequence[str]) -> list[str]:
    """What of these sections nobody quotes: paragraphs in which the quoted sentences are left out."""
    left = []
    for number, text in _sections(contract).items():
        if number in sections:
            rest = _unmarked(text)
            for row in sorted(quoted.values(), key=lambda one: -len(one.text)):
                rest = _pattern(row.text).sub(" … ", rest)
            left += [f"{number}: {' '.join(line.split())}" for line in rest.splitlines() if re.search(r"\w{4}", line)]
    return left


def _unmarked(text: str) -> str:
    return re.sub(r"\[(?:2|later)\]", "", text).replace("**", "")


def _pattern(text: str) -> re.Pattern[str]:
    return re.compile(r"\s*".join(re.escape(word) for word in _unmarked(text).split()))


def _sections(contract: str) -> dict[str, str]:
    parts = re.split(r"(?m)^## (\d+)\..*$", contract)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def main(arguments: Sequence[str]) -> None:
    """Prints the sentences that no test shows, and what of the contract nobody quotes."""
    quoted = sentences()
    for name, row in quoted.items():
        if row.is_open:
            print(f"no test shows {name}: {row.text}")
    for path in arguments:
        numbers = sorted({name.partition(".")[0] for name in quoted})
        print(*unquoted(quoted, Path(path).read_text(encoding="utf-8"), numbers), sep="\n")


if __name__ == "__main__":
    main(sys.argv[1:])
