"""The fields of an entry of `notify`."""

from typing import Annotated, Literal

from msgspec import Struct

from batchwork.errors import Place
from batchwork.spec.field import Field
from batchwork.spec.readers import SHARE, TEXT, duration_text, words_of
from batchwork.spec.written import WrittenSettings
from batchwork.spec.yaml.nodes import ScalarNode

NotifyOn = Literal["failed", "threshold", "stalled", "finished"]
NOTIFY_ON: tuple[NotifyOn, ...] = ("failed", "threshold", "stalled", "finished")


class NotifySettings(Struct, frozen=True, kw_only=True):
    """Settings of a notification. `threshold` is a share (0 to 1), `stalled_s` are seconds."""

    threshold: Annotated[float, Field(SHARE, "a share of failed units, such as `5%`", default="5%")] = 0.05
    stalled_s: Annotated[
        float, Field(duration_text(), "time in which nothing finished", name="stalled", default="10m")
    ] = 600.0


class NotifySpec(Struct, frozen=True, kw_only=True):
    """One entry of `notify`, as written."""

    place: Place
    settings: WrittenSettings[NotifySettings]
    on: Annotated[
        tuple[NotifyOn, ...],
        Field(
            words_of(NOTIFY_ON),
            "`finished` (in whatever way), `failed`, `threshold`, `stalled`; one or a list",
            default="`finished`",
            template=False,
        ),
    ] = ()
    command: Annotated[
        ScalarNode | None,
        Field(TEXT, "run by the shell; gets the summary as JSON on its standard input", template=False),
    ] = None
    url: Annotated[ScalarNode | None, Field(TEXT, "gets the summary as JSON by POST", template=False)] = None
