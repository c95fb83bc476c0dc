"""What the store keeps of a run beside its plan, as JSON."""

from __future__ import annotations

from msgspec import Struct

from batchwork.model import RunRecord
from batchwork.text.jsontext import Json, decode, encode


class Kept(Struct, frozen=True):
    """`cookie` marks the processes of the latest execution; `secrets` are the names of those that may have been taken out.

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
    if not isinstance(cookie, str):
        cookie = ""
    if not isinstance(most, int):
        most = None
    return Kept(
        cookie,
        most,
        _texts(found.get("secrets")),
        found.get("lost_text") is True,
        _texts(found.get("lost_params")),
    )


def _texts(value: Json) -> tuple[str, ...]:
    return tuple(str(part) for part in value) if isinstance(value, list) else ()
