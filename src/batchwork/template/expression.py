"""One `{{ expression }}`: its names and its value; plain paths are looked up here. Jinja2's part is in jinja.py."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TypeAlias

from msgspec import Struct

from batchwork.errors import Place, RenderError
from batchwork.ports import Scope
from batchwork.template.forms import in_words
from batchwork.text.patterns import pattern
from batchwork.text.spelling import listing, suggest

Path: TypeAlias = tuple[str | int, ...]
"""A name and what is taken from it by constant keys: `("steps", "fetch", "result")`."""

MARKS = ("args", "raw")
"""Filters that mean something only to shell commands; they must stand last."""

_STEP = r"\.[^\W\d]\w*|\[\s*(?:-?\d{1,9}|'[^'\\]*'|\"[^\"\\]*\")\s*\]"
_plain_path = pattern(rf"([^\W\d]\w*)((?:{_STEP})*)((?:\s*\|\s*(?:args|raw))?)\Z")
_step = pattern(r"\.(\w+)|\[\s*(?:(-?\d+)|'([^']*)'|\"([^\"]*)\")\s*\]")
_KEYWORDS = frozenset(
    {
        "true",
        "True",
        "false",
        "False",
        "none",
        "None",
        "not",
        "and",
        "or",
        "in",
        "is",
        "if",
        "else",
        "self",
        "loop",
        "range",
        "dict",
        "namespace",
    }
)
"""Words that mean something to Jinja2 itself."""


class Expression(Struct, frozen=True, eq=False):
    """The inside of one `{{ }}`. `core` is its text without a last `| args` or `| raw`, which is `mark`.

    `filters` are those applied to the whole, outermost last. `roots` are the names that it uses, `needs` those without
    which it fails (not guarded by `default` or `is defined`), `paths` what it takes from them by constant keys.
    """

    source: str
    place: Place
    core: str
    mark: str
    filters: tuple[str, ...]
    roots: frozenset[str]
    needs: frozenset[str]
    paths: frozenset[Path]
    evaluate: Callable[[Scope], object]

    def __eq__(self, other: object) -> bool:
        """Equal is what was written alike in the same place; what it was compiled to is made from that."""
        return isinstance(other, Expression) and (self.source, self.place) == (other.source, other.place)

    def __hash__(self) -> int:
        return hash((self.source, self.place))

    def value(self, scope: Scope) -> object:
        """The value, typed, before a last `| args` or `| raw`. Raises RenderError."""
        try:
            return self.evaluate(scope)
        except RenderError as error:
            if error.hint:
                raise
            where = f"at {self.place}" if self.place.line else ""
            raise type(error)(f"`{{{{ {self.source} }}}}`: {error.message}", where) from None


def compile_expression(source: str, place: Place) -> Expression:
    """Compile the text between `{{` and `}}`. Raises WorkflowError."""
    source = source.strip()
    match = _plain_path.match(source)
    if match is None or match[1] in _KEYWORDS:
        from batchwork.template.jinja import compile_general  # Jinja2 takes 80 ms to import, and most files do without

        return compile_general(source, place)
    root = match[1]
    mark = match[3].strip(" \t\r\n|")
    steps = tuple(_keys(match[2]))
    names = frozenset((root,))
    return Expression(
        source=source,
        place=place,
        core=root + match[2],
        mark=mark,
        filters=(mark,) if mark else (),
        roots=names,
        needs=names,
        paths=frozenset(((root, *steps),)),
        evaluate=_looking_up(root, steps),
    )


def _keys(text: str) -> Iterable[str | int]:
    for name, number, single, double in _step.findall(text):
        yield int(number) if number else name or single or double


def _looking_up(root: str, steps: tuple[str | int, ...]) -> Callable[[Scope], object]:
    if not steps:

        def bare(scope: Scope) -> object:
            try:
                return scope[root]
            except KeyError:
                raise unknown_name(root, scope) from None

        return bare

    def path(scope: Scope) -> object:
        try:
            value = scope[root]
            for key in steps:
                if type(value) not in _PLAIN:
                    return careful(scope)
                value = value[key]  # type: ignore[index]
        except (KeyError, IndexError, TypeError):
            return careful(scope)
        return value

    def careful(scope: Scope) -> object:
        try:
            value = scope[root]
        except KeyError:
            raise unknown_name(root, scope) from None
        for at, key in enumerate(steps):
            value = take(value, key, (root, *steps[:at]))
        return value

    return path


_PLAIN = frozenset((dict, list))
_ABSENT = object()


def take(value: object, key: str | int, path: Path = ()) -> object:
    """What `value` has under `key`: a mapping's key before an object's attribute. Raises RenderError listing what there is."""
    found = find(value, key)
    if found is _ABSENT or (callable(found) and not isinstance(value, Mapping | Sequence)):
        raise RenderError(nothing_there(value, key, path))
    return found


def find(value: object, key: str | int) -> object:
    if isinstance(value, Mapping):
        try:
            return value[key]
        except KeyError:
            return _ABSENT
    if isinstance(key, int):
        if isinstance(value, Sequence):
            try:
                return value[key]
            except IndexError:
                return _ABSENT
        return _ABSENT
    if key.startswith("_") or value is None or isinstance(value, str | int | float | list | tuple | bytes):
        return _ABSENT
    found: object = getattr(value, key, _ABSENT)
    return found


def nothing_there(value: object, key: object, path: Path = ()) -> str:
    """The message for a key that is not there, with what is there instead."""
    if path == ("env",) and isinstance(key, str):
        near = suggest(key, [name for name in value if isinstance(name, str)]) if isinstance(value, Mapping) else ""
        return " ".join(filter(None, (f"the environment variable `{key}` is not set", near and f"({near})")))
    what = f"`{spelled(path)}`" if path else "the value"
    if isinstance(value, Sequence) and not isinstance(value, str) and isinstance(key, int):
        return f"{what} is {in_words(value)} and has no element {key}"
    names = names_in(value)
    if not names:
        empty = isinstance(value, Mapping)
        return f"{what} is {'an empty mapping' if empty else in_words(value)} and has no `{key}`"
    near = suggest(str(key), names)
    return f"{what} has no `{key}`; {near + ' ' if near else ''}there is {listing(names, 12)}"


def names_in(value: object) -> list[str]:
    """The keys of a mapping, or the public values of an object."""
    if isinstance(value, Mapping):
        return [str(name) for name in value]
    if value is None or isinstance(value, str | int | float | list | tuple | bytes):
        return []
    kind = type(value)
    names = [name for name in dir(kind) if not name.startswith("_") and not callable(getattr(kind, name, None))]
    return names + [name for name in getattr(value, "__dict__", ()) if not name.startswith("_")]


def unknown_name(name: str, scope: Iterable[str]) -> RenderError:
    names = sorted(scope)
    near = suggest(name, names)
    return RenderError(f"there is no `{name}`; {near + ' ' if near else ''}there is {listing(names, 12)}")


def spelled(path: Path) -> str:
    """A path as it is written in a template: `item.tags[0]['first name']`."""
    text = ""
    for part in path:
        if isinstance(part, str) and part.isidentifier():
            text += f".{part}" if text else part
        else:
            text += f"[{part!r}]"
    return text
