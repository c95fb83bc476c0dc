"""What else is to be known of a step than its state: why it was skipped, that it was opened again, or only lacks its file."""

from __future__ import annotations

from typing import TypeAlias

from msgspec import Struct


class Reopened(Struct, frozen=True, tag="reopened"):
    """Failed units of the step were given fresh attempts after it had ended: its source is read again only with `reread`."""

    reread: bool = False


class WhenFalse(Struct, frozen=True, tag="when"):
    """The step was skipped: its `when` is false."""


class NeedSkipped(Struct, frozen=True, tag="need"):
    """The step was skipped: `step`, which it refers to, was."""

    step: str


class Unwritten(Struct, frozen=True, tag="unwritten"):
    """All units of the step have an outcome, but what is made of them could not be written: a resume does only that."""


StepNote: TypeAlias = Unwritten | Reopened | WhenFalse | NeedSkipped
