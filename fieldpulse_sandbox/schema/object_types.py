"""Object types: the short names in requests, and the class names in rows."""

from __future__ import annotations

from .table_shapes import BASE_CLASS

OBJECT_TYPES = {
    name: BASE_CLASS + name.title().removesuffix("s")
    for name in ("customer", "job", "invoice", "project", "subtask", "subtasks")
}
"""The short names of object types in requests, and how the rows spell them."""
