"""Python code as text: its syntax tree, without Python's own remarks on it, which would name no file of the author's."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ast

CANNOT_PARSE = (SyntaxError, ValueError, RecursionError, MemoryError)
"""What `parsed` may raise for whatever text."""


def parsed(code: str | bytes) -> ast.Module:
    """The syntax tree. Raises what `CANNOT_PARSE` lists."""
    import ast

    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return ast.parse(code)
