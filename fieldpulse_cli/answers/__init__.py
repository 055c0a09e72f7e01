"""What people ask of FieldPulse data, as views for PostgreSQL and DuckDB over the tables of a loader."""

from .answer import ANSWERS, Answer
from .warehouse import Warehouse

__all__ = ["ANSWERS", "Answer", "Warehouse"]
