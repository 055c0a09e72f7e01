"""The tool that answers questions from the views of `fieldpulse answers`, in a warehouse that is only read."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from datetime import date, time
from itertools import count
from typing import Any

from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from fieldpulse_api.errors import ConfigError, UserError, got_and_allowed
from fieldpulse_api.reading.pages import Row, ScanStats
from fieldpulse_cli.answers import ANSWERS
from fieldpulse_cli.answers.database import import_duckdb, warehouse_url
from fieldpulse_cli.answers.warehouse import quoted
from fieldpulse_cli.mcp_server.arguments import CURSOR, DEFAULT_ROWS, FILTER_VALUES, LIMIT, Schema, object_of
from fieldpulse_cli.mcp_server.results import Record, for_model
from fieldpulse_cli.mcp_server.tool import Tool
from fieldpulse_plugin.stores.database import engine_of
from tap_fieldpulse.reading.filters import Filters

from .open_reads import OpenRead, OpenReads
from .row_filters import columns_test

_MAX_ROWS = 10_000
_PAGE_ROWS = 500
_MAX_SECONDS = 60
_HINT = "create the views with `fieldpulse answers create`, and let this user read them"


class Answers:
    """The views of one schema. May be used by many threads.

    `url` is that of SQLAlchemy for PostgreSQL, or `duckdb:///` with the path of a file.
    """

    def __init__(self, url: str, schema: str) -> None:
        """Check the URL; connect to nothing. Raises: ConfigError."""
        parsed = warehouse_url(url, "--answers-url")
        self._is_duckdb = parsed.drivername == "duckdb"
        self._url, self._path, self._schema = url, str(parsed.database), schema
        self._reads = OpenReads()

    def tool(self) -> Tool:
        """Return the tool."""
        questions = "\n".join(f"{answer.name}: {answer.question}" for answer in ANSWERS.values())
        filters: Schema = {
            "type": "object",
            "maxProperties": 20,
            "additionalProperties": FILTER_VALUES,
            "description": "Only rows with these values in columns of the answer. Leave it out to see the columns.",
        }
        return Tool(
            name="answer",
            title="Answer a question",
            description="Answer a question about the whole account from the warehouse, as of its last load. Prefer it "
            "to `list_rows` for sums, ages and comparisons. Goes on with `cursor` like `list_rows`.",
            schema=object_of(
                {
                    "question": {"type": "string", "enum": list(ANSWERS), "description": questions},
                    "filters": filters,
                    "limit": LIMIT,
                    "cursor": CURSOR,
                },
                "question",
            ),
            run=self._answer,
        )

    def _answer(self, arguments: Mapping[str, Any]) -> Record:
        name, limit = arguments["question"], arguments.get("limit", DEFAULT_ROWS)
        if "cursor" in arguments:
            return self._reads.go_on(name, arguments["cursor"], limit)
        statement = f"select * from {quoted(self._schema)}.{name} limit {_MAX_ROWS + 1}"  # noqa: S608  of ANSWERS
        columns, rows = self._read_duckdb(statement) if self._is_duckdb else self._read_postgres(statement)
        wanted = arguments.get("filters", {})
        for column in wanted:
            if column not in columns:
                what = f"Unknown column: {got_and_allowed(column, columns)}."
                raise UserError(what, where=f"filters of {name}", hint="use a column of the answer")
        reader = _AnswerReader(rows[:_MAX_ROWS])
        if len(rows) > _MAX_ROWS:
            reader.stats.notes.append(f"Only the first {_MAX_ROWS:,} rows of the answer were read.")
        if explanation := ANSWERS[name].leaves_out:
            reader.stats.notes.append(explanation)
        filters = Filters(tests=(columns_test(wanted),))
        numbers = count()
        read = OpenRead(name, reader, filters, dict, "of the view", key_of=lambda _: next(numbers))
        return self._reads.start(read, limit)

    def _read_postgres(self, statement: str) -> tuple[list[str], list[Row]]:
        engine = engine_of(self._url, store="warehouse", reads_only=True)
        try:
            with engine.connect() as connection:
                connection.execute(text("set transaction read only"))
                connection.execute(text(f"set local statement_timeout = '{_MAX_SECONDS}s'"))
                result = connection.execute(text(statement))
                return list(result.keys()), [_row(dict(row)) for row in result.mappings()]
        except SQLAlchemyError as error:
            raise _unreadable_error(getattr(error, "orig", None) or error) from None
        finally:
            engine.dispose()

    def _read_duckdb(self, statement: str) -> tuple[list[str], list[Row]]:
        duckdb = import_duckdb("--answers-url")
        try:
            with closing(duckdb.connect(self._path, read_only=True)) as connection:
                connection.execute(statement)
                columns = [column[0] for column in connection.description]
                return columns, [_row(dict(zip(columns, row, strict=True))) for row in connection.fetchall()]
        except duckdb.Error as error:
            raise _unreadable_error(error) from None


@dataclass
class _AnswerReader:
    """The rows of an answer, read already, in pages as of a list."""

    _all_rows: list[Row]
    stats: ScanStats = field(default_factory=ScanStats)

    def rows(self) -> Iterator[list[Row]]:
        for start in range(0, len(self._all_rows), _PAGE_ROWS):
            self.stats.pages += 1
            yield self._all_rows[start : start + _PAGE_ROWS]


def _row(row: Mapping[str, Any]) -> Row:
    return {name: _cell(for_model(value)) for name, value in row.items()}


def _cell(value: Any) -> Any:
    """Return a value as JSON has it."""
    if value is None or isinstance(value, (str, bool, int, float, dict, list)):
        return value
    return value.isoformat() if isinstance(value, (date, time)) else str(value)


def _unreadable_error(error: BaseException) -> ConfigError:
    return ConfigError(f"The view cannot be read ({type(error).__name__}).", where="--answers-url", hint=_HINT)
