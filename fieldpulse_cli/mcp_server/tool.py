"""A tool: what a model reads about it, and the function behind it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from .arguments import Schema
from .results import Record


@dataclass(frozen=True, kw_only=True)
class Tool:
    """One tool. `run` gets arguments that its schema allows; it may be called by many threads.

    A tool that `writes` is waited for, also if the client cancels the call.

    Raises: FieldPulseError.
    """

    name: str
    title: str
    description: str
    schema: Schema
    run: Callable[[Mapping[str, Any]], Record]
    writes: bool = False
    is_open_world: bool = True
