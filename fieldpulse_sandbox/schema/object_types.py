"""Object types: short names in requests, class names in rows."""

from __future__ import annotations

from .table_shapes import BASE_CLASS

OBJECT_TYPES = {
    name: BASE_CLASS + name.title().removesuffix("s")
    for name in ("customer", "job", "invoice", "project", "subtask", "subtasks", "order")
}
"""Class name by short name."""
