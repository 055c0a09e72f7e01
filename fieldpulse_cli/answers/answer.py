"""The answers: a question in each file of `sql/`, and its SQL."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import takewhile
from pathlib import Path
from textwrap import fill, indent

from fieldpulse_api.resources.catalogue import BY_NAME

from .warehouse import REFERENCE, Warehouse, quoted

_WIDTH = 110  # characters of a comment
_FOLDER = Path(__file__).parent / "sql"


@dataclass(frozen=True)
class Answer:
    """A question and the query that answers it.

    `header` is what the query answers, and what it leaves out. `body` is a select over the streams, in the words of
    `Warehouse`.
    """

    name: str
    header: str
    body: str

    @property
    def question(self) -> str:
        """Return the first sentence of the header."""
        return re.split(r"(?<=[?.]) ", self.header, maxsplit=1)[0]

    @property
    def leaves_out(self) -> str:
        """Return the rest of the header."""
        return self.header.removeprefix(self.question).strip()

    @property
    def streams(self) -> list[str]:
        """Return the streams whose tables the query cannot do without, in the order of the catalogue."""
        names = {stream for _, stream, _ in REFERENCE.findall(self.body)}
        return [name for name in BY_NAME if name in names]

    def query(self, warehouse: Warehouse) -> str:
        """Return a query without parameters, for PostgreSQL and for DuckDB."""
        return f"with {warehouse.tables(self.body)}\n{self.body}"

    def view(self, warehouse: Warehouse, schema: str) -> str:
        """Return the statement that creates the view in a schema, with its header as a comment."""
        comment = indent(fill(self.header, _WIDTH), "-- ")
        return f"{comment}\ncreate or replace view {quoted(schema)}.{self.name} as\n{self.query(warehouse)};\n"


def _answers() -> Iterator[Answer]:
    for path in sorted(_FOLDER.glob("*.sql")):
        lines = path.read_text("utf-8").splitlines()
        header = list(takewhile(lambda line: line.startswith("-- "), lines))
        yield Answer(path.stem, " ".join(line[3:] for line in header), "\n".join(lines[len(header) :]))


ANSWERS: dict[str, Answer] = {answer.name: answer for answer in _answers()}
"""Every answer by its name, in the order of the names."""
