"""What the store keeps of a run beside its plan, as JSON; and secrets taken out of what is kept, and put back in.

The value of a secret in the parameters or in the workflow's text is kept as `«secret:NAME»`, and a resume takes it from
the environment again. A password that has no name (in a URL, or an `Authorization` header) cannot be put back: that it
is lost is kept, and a resume needs the workflow's file.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import Struct

from batchwork.model import RunRecord
from batchwork.secrets import SHORTEST, cleaner
from batchwork.text.jsontext import Json, decode, encode


class Kept(Struct, frozen=True):
    """`cookie` marks the processes of all executions; `secrets` are the names of those that may have been taken out.

    `lost_text`: the stored workflow lacks something that has no name. `lost_params`: so do these parameters.
    """

    cookie: str = ""
    max_parallel: int | None = None
    secrets: tuple[str, ...] = ()
    lost_text: bool = False
    lost_params: tuple[str, ...] = ()

    def text(self) -> str:
        """As the run's record keeps it."""
        return encode(
            {
                "cookie": self.cookie,
                "max_parallel": self.max_parallel,
                "secrets": list(self.secrets),
                "lost_text": self.lost_text,
                "lost_params": list(self.lost_params),
            }
        )


def kept_from(record: RunRecord) -> Kept:
    """What was kept; parts that are not there, or are something else, are left out."""
    found = decode(record.options or "{}")
    if not isinstance(found, dict):
        return Kept()
    cookie, most = found.get("cookie"), found.get("max_parallel")
    return Kept(
        cookie if isinstance(cookie, str) else "",
        most if isinstance(most, int) else None,
        _texts(found.get("secrets")),
        found.get("lost_text") is True,
        _texts(found.get("lost_params")),
    )


def _texts(value: Json) -> tuple[str, ...]:
    return tuple(str(part) for part in value) if isinstance(value, list) else ()


class Hiding:
    """Takes secrets out of what is kept. `names` are those that the workflow declares."""

    def __init__(self, names: Sequence[str], environ: Mapping[str, str]) -> None:
        values = {name: environ[name] for name in names if environ.get(name)}
        # Longer ones first: a secret may hold another one.
        self._values = sorted(values.items(), key=lambda pair: -len(pair[1]))
        self._clean = cleaner(names, environ)

    def text(self, text: str) -> tuple[str, bool]:
        """The text as it may be kept, and whether something was taken out that cannot be put back."""
        marked = self._marked(text)
        cleaned = self._clean(marked)
        return cleaned, cleaned != marked

    def params(self, params: Mapping[str, Json]) -> tuple[dict[str, Json], tuple[str, ...]]:
        """The parameters as they may be kept, and the names of those that lost something."""
        kept: dict[str, Json] = {}
        lost = []
        for name, value in params.items():
            marked = _mapped(value, self._marked)
            kept[name] = _mapped(marked, self._clean)
            if kept[name] != marked:
                lost.append(name)
        return kept, tuple(lost)

    def _marked(self, text: str) -> str:
        for name, value in self._values:
            # A short one would be found by chance in the midst of a text.
            if value == text or (len(value) >= SHORTEST and value in text):
                text = text.replace(value, _mark(name))
        return text


def put_back(value: Json, names: Sequence[str], environ: Mapping[str, str]) -> Json:
    """The value with the secrets in it that were taken out and are set now."""
    known = [(_mark(name), environ[name]) for name in names if name in environ]

    def shown(text: str) -> str:
        for mark, secret in known:
            text = text.replace(mark, secret)
        return text

    return _mapped(value, shown) if known else value


def _mark(name: str) -> str:
    return f"«secret:{name}»"


def _mapped(value: Json, change: Callable[[str], str]) -> Json:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, list):
        return [_mapped(part, change) for part in value]
    if isinstance(value, dict):
        return {change(key): _mapped(part, change) for key, part in value.items()}
    return value
