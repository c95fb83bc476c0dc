"""What else is to be known of a step than its state: why it was skipped, or that it was opened again."""

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


StepNote: TypeAlias = Reopened | WhenFalse | NeedSkipped
