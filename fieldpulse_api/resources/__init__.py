"""The catalogue: one entry per list of the API, with its read rules and its write rules."""

from __future__ import annotations

from .catalogue import BY_NAME, RESOURCES, WRITABLE
from .model import Evidence, Operation, Resource, WritableResource

__all__ = ["BY_NAME", "RESOURCES", "WRITABLE", "Evidence", "Operation", "Resource", "WritableResource"]
