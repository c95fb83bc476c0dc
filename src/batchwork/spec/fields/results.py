"""The fields of `results`, of a batch step: where the table of its results goes."""

from typing import Annotated, get_args

from msgspec import Struct

from batchwork.errors import Place, Problem
from batchwork.model import FileFormat
from batchwork.spec.field import REQUIRED, Field
from batchwork.spec.mapping import Block
from batchwork.spec.readers import BOOLEAN, MAPPING, TEXT, Reader, word, wrong
from batchwork.spec.written import MaybeTemplate
from batchwork.spec.yaml.nodes import MapNode, Node, ScalarNode

_FORMATS: tuple[FileFormat, ...] = get_args(FileFormat)
_FORM = "for example {to: results.parquet}"


class FailedSpec(Struct, frozen=True, kw_only=True):
    """What may be written under `failed` of `results`."""

    to: Annotated[
        ScalarNode | None,
        Field(
            TEXT,
            "a JSON Lines file of the items that failed, which can be the `items` of another run",
            default=REQUIRED,
            template=False,
        ),
    ] = None


class _FailedReader(Reader[FailedSpec], frozen=True):
    def __call__(self, field: str, node: Node, problems: list[Problem]) -> FailedSpec | None:
        if not isinstance(node, MapNode):
            problems.append(wrong(field, "a mapping", node, "for example {to: failed.jsonl}"))
            return None
        block = Block(node, f"`{field}` of `results`", [FailedSpec], problems)
        block.require("to")
        return FailedSpec(**block.read(FailedSpec))


class ResultsSpec(Struct, frozen=True, kw_only=True):
    """What may be written under `results`."""

    place: Place
    to: Annotated[
        ScalarNode | None,
        Field(
            TEXT,
            "a path or URL; the file grows as `TO.part` and takes its name when every unit has an outcome",
            default=REQUIRED,
            template=False,
        ),
    ] = None
    format: Annotated[
        MaybeTemplate[FileFormat],
        Field(word(_FORMATS), "how it is written", default="as `to` ends, also `.csv.gz`, `.jsonl.zst` …", null=True),
    ] = None
    columns: Annotated[
        MapNode | None,
        Field(
            MAPPING,
            "NAME: a template over `index`, `key`, `status`, `attempts`, `item`, `result`, `error`",
            default="the fields of the first 1,000 results",
            null=True,
            template=False,
        ),
    ] = None
    join: Annotated[
        MaybeTemplate[bool],
        Field(
            BOOLEAN,
            "the columns of the source and those of the results side by side, `_status`, `_error`",
            default="false",
        ),
    ] = None
    failed: Annotated[
        FailedSpec | None,
        Field(
            _FailedReader("mapping", {"$ref": "#/$defs/failed"}),
            "where failed items go: `{to: path}`",
            null=True,
            template=False,
        ),
    ] = None


class ResultsReader(Reader[ResultsSpec], frozen=True):
    """A mapping."""

    def __call__(self, field: str, node: Node, problems: list[Problem]) -> ResultsSpec | None:
        if not isinstance(node, MapNode):
            problems.append(wrong(field, "a mapping", node, _FORM))
            return None
        block = Block(node, f"`{field}`", [ResultsSpec], problems)
        block.require("to", _FORM)
        return ResultsSpec(place=node.place, **block.read(ResultsSpec))


RESULTS: Reader[ResultsSpec] = ResultsReader("mapping", {"$ref": "#/$defs/results"})
